"""A cell as one Python file that needs torch and nothing else."""

from __future__ import annotations

import base64
import inspect
import re
from collections.abc import Mapping
from string import Template
from typing import Any

from cellsearch import network, shell
from cellsearch.cell import Cell
from cellsearch.export.statements import Statements
from cellsearch.layers import describe
from cellsearch.lowering import LoopProgram, lower
from cellsearch.lowering.program import Product

_SEQUENCE = """\
def _sequence(
    tensors: list[Tensor],
    rows: Tensor,
    batch_sizes: list[int],
    state: States,
    reverse: bool,
) -> tuple[Tensor, States]:
$body
"""

_CLASSES = """\
class ${name}Cell(CellShell):
    \"\"\"One step; made and used as torch.nn.GRUCell.\"\"\"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(DESCRIPTION, _sequence, input_size, hidden_size, device, dtype)


class $name(RecurrentShell):
    \"\"\"Whole sequences; made and used as torch.nn.GRU.\"\"\"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            DESCRIPTION,
            _sequence,
            input_size,
            hidden_size,
            num_layers,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
        )
"""

_WEIGHTS = """\
# Name, shape, and float32 numbers (little endian, base64) of every trained tensor.
WEIGHTS = {
$entries
}

# How raw data become inputs and outputs become answers: inputs are (raw - input_mean) /
# input_scale, quantities are output * target_scale + target_mean; classes and symbols go by number.
ENCODING = $encoding


def load_network() -> Network:
    \"\"\"Return the network with its trained weights, in evaluation mode.\"\"\"
    layer = $name($layer)
    network = Network(layer, $network)
    weights = {key: _decoded(*entry) for key, entry in WEIGHTS.items()}
    network.load_state_dict(weights)
    return network.eval()


def load_layer() -> $name:
    \"\"\"Return the recurrent layer (batch first) with its trained weights.\"\"\"
    return load_network().layer


def _decoded(shape: tuple[int, ...], text: str) -> Tensor:
    data = bytearray(base64.b64decode(text))
    return torch.frombuffer(data, dtype=torch.float32).reshape(shape)
"""

_ENTRY = """\
    $key: (
        $shape,
        (
$lines
        ),
    ),"""


_TAKEN = {
    *vars(shell),
    *vars(network),
    "Callable",
    "Sequence",
    "NamedTuple",
    "True",
    "False",
    "None",
}


def class_name(stem: str) -> str:
    """Return a class name for the stem of a file: "my_best-cell" gives "MyBestCell"."""
    name = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", stem))
    return name if name[:1].isalpha() and name not in _TAKEN else f"Exported{name}"


def export_source(
    cell: Cell, name: str, trained: Mapping[str, Any] | None = None, note: str = ""
) -> str:
    """Return the source: a step `<name>Cell`, a layer `<name>`, and the trained weights if given.

    `trained` holds "layer" and "network", the keyword arguments of the constructors, "tensors",
    the weights of the network by name, and "encoding" (see `Task.encoding`). The file computes bit
    for bit what the eager backend computes.
    """
    description = describe(cell)
    parts = [
        _head(cell, name, trained is not None, note),
        _body(shell),
        f"DESCRIPTION = {_described(description)}\n",
        _sequence(cell, lower(cell.normal)),
        Template(_CLASSES).substitute(name=name),
    ]
    if trained is not None:
        parts += [_body(network), _weights(name, trained)]
    return "\n\n".join(part.strip("\n") + "\n" for part in parts)


def _head(cell: Cell, name: str, trained: bool, note: str) -> str:
    lines = [f"The recurrent cell {cell.id} as torch modules; needs torch only.", ""]
    lines += [note, ""] if note else []
    lines += [f"    layer = {name}(input_size, hidden_size)      # made and used as torch.nn.GRU"]
    lines += [
        f"    step = {name}Cell(input_size, hidden_size)   # made and used as torch.nn.GRUCell"
    ]
    if trained:
        lines += ["    layer = load_layer()      # with the trained weights"]
        lines += ["    network = load_network()  # the same between embedding and readout"]
        lines += ["    ENCODING                  # how raw data become inputs, and outputs answers"]
    lines += ["", "The cell:", ""]
    code = [line.partition("#")[0].rstrip() for line in cell.text.splitlines()]
    lines += [f"    {line}" for line in code if line]
    text = "\n".join(lines).replace("\\", "/").replace('"""', "'''")
    imports = ["base64"] if trained else []
    imports += ["math"]
    head = "\n".join(f"import {module}" for module in imports)
    return (
        f'"""{text}\n"""\n\nfrom __future__ import annotations\n\n{head}\n'
        "from collections.abc import Callable, Sequence\nfrom typing import NamedTuple\n\n"
        "import torch\nfrom torch import Tensor, nn\n"
        "from torch.nn.utils.rnn import PackedSequence\n"
    )


def _body(module: Any) -> str:
    """Return a module's source from behind its imports."""
    source = inspect.getsource(module)
    last = max(match.end() for match in re.finditer(r"^(?:import|from) .*$", source, re.MULTILINE))
    return source[last:]


def _described(description: shell.Description) -> str:
    tensors = "".join(f"        {entry!r},\n" for entry in description.tensors)
    return (
        f"Description(\n    states={description.states!r},\n    tensors=(\n{tensors}    ),\n"
        f"    has_output={description.has_output},\n    equal_sizes={description.equal_sizes},\n"
        f"    starts={description.starts!r},\n)"
    )


def _sequence(cell: Cell, program: LoopProgram) -> str:
    """Return the function that runs one layer in one direction."""
    write = Statements(program, cell.normal)
    lines = [f"({''.join(f'{name}, ' for name in write.tensors).rstrip()}) = tensors"]
    lines = lines if write.tensors else []
    lines.append("hidden = state[0].size(1)")
    for instruction in (*program.constants, *program.before):
        if isinstance(instruction, Product):
            lines += write.preparation(instruction)
        lines.append(write.line(instruction))
    for instruction in program.loop:
        if isinstance(instruction, Product):
            lines += write.preparation(instruction)
    lines += ["", *_step(cell, program, write), ""]
    streams = ", ".join(write.name(register) for register in program.streamed)
    lines.append(f"kept, last = scan(step, [{streams}], batch_sizes, state, reverse)")
    if program.saved:
        targets = "".join(f"{write.name(register)}, " for register in program.saved)
        lines.append(f"({targets.rstrip()}) = kept")
    for instruction in program.after:
        if isinstance(instruction, Product):
            lines += write.preparation(instruction)
        lines.append(write.line(instruction))
    lines.append(f"return {_repeated(program, write, program.output, 'len(rows)')}, last")
    body = "\n".join(f"    {line}" if line else "" for line in lines)
    return Template(_SEQUENCE).substitute(body=body)


def _step(cell: Cell, program: LoopProgram, write: Statements) -> list[str]:
    states = {state.name: state for state in program.states}
    ordered = [states[name] for name in cell.states]
    lines = []
    previous = ["_" if state.previous is None else write.name(state.previous) for state in ordered]
    if any(name != "_" for name in previous):
        lines.append(f"({''.join(f'{name}, ' for name in previous).rstrip()}) = state")
    if program.streamed:
        names = "".join(f"{write.name(register)}, " for register in program.streamed)
        lines.append(f"({names.rstrip()}) = streams")
    lines += [write.line(instruction) for instruction in program.loop]
    size = "len(state[0])"
    updates = [_repeated(program, write, state.update, size) for state in ordered]
    saved = "".join(f"{write.name(register)}, " for register in program.saved).rstrip()
    lines.append(f"return ({', '.join(updates)},), ({saved})")
    return [
        "def step(state: States, streams: list[Tensor]) -> tuple[States, States]:",
        *(f"    {line}" for line in lines),
    ]


def _repeated(program: LoopProgram, write: Statements, register: int, count: str) -> str:
    """Return a value, repeated for every row where it is the same for all of them."""
    constant = program.stages[register] in ("number", "constant")
    value = write.operand(register, as_tensor=True)
    return f"{value}.expand({count}, hidden)" if constant else value


def _weights(name: str, trained: Mapping[str, Any]) -> str:
    """Return the trained weights as text, and the functions that load them."""
    entries = []
    for key, tensor in trained["tensors"].items():
        data = base64.b64encode(tensor.contiguous().numpy().astype("<f4").tobytes()).decode()
        lines = [f'            "{data[start : start + 84]}"' for start in range(0, len(data), 84)]
        entry = {"key": repr(key), "shape": repr(tuple(tensor.shape)), "lines": "\n".join(lines)}
        entries.append(Template(_ENTRY).substitute(entry))
    return Template(_WEIGHTS).substitute(
        name=name,
        entries="\n".join(entries),
        encoding=repr(trained["encoding"]),
        layer=_arguments(trained["layer"]),
        network=_arguments(trained["network"]),
    )


def _arguments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in values.items())
