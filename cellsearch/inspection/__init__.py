"""Looking at cells and runs: drawings, equations, summaries, tables."""
