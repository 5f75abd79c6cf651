"""The numbers that the elementary functions are computed with, for either precision.

Polynomials are minimax fits of this project, by the exchange algorithm (Remez, 1934) in 50 digits,
the coefficients rounded from the highest power down while the lower ones were fitted anew.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Constants:
    """What the functions need to know of one precision."""

    mantissa: int  # bits
    bias: int  # of the exponent
    ln2: tuple[float, float]  # in two parts; the first times a small integer is exact
    exp_range: tuple[float, float]  # exp is 0 below it and infinite above
    exp: tuple[float, ...]
    tanh_limit: float  # tanh is 1 above it
    tanh: tuple[float, ...]
    log: tuple[float, ...]
    erf_limit: float  # erf is 1 above it
    erf_small: tuple[float, ...]
    erf_large: tuple[float, ...]
    half_pi: tuple[float, float, float]  # in three parts, as ln2
    sine_limit: float  # up to it the three parts suffice
    sine: tuple[float, ...]
    cosine: tuple[float, ...]


SINGLE_CONSTANTS = Constants(
    mantissa=23,
    bias=127,
    ln2=(0.693115234375, 3.194618329871446e-05),
    exp_range=(-104.0, 89.0),
    # exp(r) for |r| <= ln(2) / 2; relative error 4e-09
    exp=(
        1.0,
        1.0,
        0.5,
        0.16666534543037415,
        0.041667237877845764,
        0.008367486298084259,
        0.0013863769127056003,
    ),
    tanh_limit=10.0,
    # (1 - exp(-2 r)) / r for |r| <= ln(2) / 4; relative error 2e-08
    tanh=(
        2.0,
        -1.9999998807907104,
        1.3333234786987305,
        -0.6666752099990845,
        0.26772868633270264,
        -0.08884795755147934,
    ),
    # log((1 + s) / (1 - s)) = 2 s + s z P(z), z = s^2, |s| <= 3 - sqrt 8; relative error 9e-10
    log=(0.6666677594184875, 0.3997753858566284, 0.29871848225593567),
    erf_limit=4.0,
    # erf(x) / x - 1 in x^2 for |x| <= 1; error relative to erf 4e-09
    erf_small=(
        0.12837916612625122,
        -0.3761262595653534,
        0.1128358542919159,
        -0.026853810995817184,
        0.005188326817005873,
        -0.0008010187884792686,
        7.853843999328092e-05,
    ),
    # -log(1 - erf(x)) for 1 <= x <= 4; error relative to erf 1e-09
    erf_large=(
        0.0003415577521082014,
        1.127089023590088,
        0.6381451487541199,
        0.10310645401477814,
        -0.021837910637259483,
        0.00294761685654521,
        -0.00018637461471371353,
    ),
    half_pi=(1.570770263671875, 2.6063062250614166e-05, 6.07710062827671e-11),
    sine_limit=100.0,
    # sin(r) = r + r z P(z), z = r^2, |r| <= pi / 4; relative error 6e-09
    sine=(-0.16666655242443085, 0.008332176133990288, -0.00019516977772582322),
    # cos(r) = 1 - z / 2 + z^2 P(z); error 5e-10
    cosine=(0.04166664555668831, -0.0013887364184483886, 2.443810080876574e-05),
)

DOUBLE_CONSTANTS = Constants(  # the same functions and intervals; erf_large for 1 <= x <= 6
    mantissa=52,
    bias=1023,
    ln2=(0.6931471804855391, 7.440617110012397e-11),
    exp_range=(-746.0, 710.0),
    exp=(
        1.0,
        1.0,
        0.5,
        0.16666666666666427,
        0.041666666666604193,
        0.008333333333500316,
        0.0013888888926792907,
        0.0001984126946613862,
        2.4801508674963525e-05,
        2.7557640761640293e-06,
        2.762519000863066e-07,
        2.4978422828062224e-08,
    ),  # error 1e-17
    tanh_limit=20.0,
    tanh=(
        2.0,
        -2.0,
        1.3333333333333275,
        -0.6666666666659228,
        0.26666666666844324,
        -0.08888888909117278,
        0.02539682522786067,
        -0.006349188188314162,
        0.0014109401598879849,
        -0.0002828515629037743,
        5.1294079456286576e-05,
    ),  # error 4e-17
    log=(
        0.6666666666666734,
        0.3999999999941452,
        0.285714287424618,
        0.2222219856393663,
        0.18183564858559556,
        0.15314035882684293,
        0.1479610584785964,
    ),  # error 2e-18
    erf_limit=6.0,
    erf_small=(
        0.12837916709551256,
        -0.3761263890318351,
        0.11283791670944125,
        -0.026866170643110636,
        0.0052239776061168185,
        -0.0008548325929256426,
        0.00012055293575550697,
        -1.492471227891419e-05,
        1.6447131285894486e-06,
        -1.620631149234362e-07,
        1.3710970255610598e-08,
        -7.77944891324782e-10,
    ),  # error 4e-17
    erf_large=(
        5.027648850700318e-07,
        1.1283740901789623,
        0.6366436253962097,
        0.10270344590331988,
        -0.018990189434704634,
        -0.00041061485387045244,
        0.0019159309414279735,
        -0.0007706339712808275,
        0.0001350449224953908,
        2.0269209405898683e-05,
        -2.2823447533638666e-05,
        8.667439151817631e-06,
        -2.135739102690114e-06,
        3.733132321241953e-07,
        -4.642413991525814e-08,
        3.9343633583233815e-09,
        -2.0450153804837527e-10,
        4.928746703744201e-12,
    ),  # error 5e-17
    half_pi=(1.5707963267341256, 6.07710050359346e-11, 2.912732056093356e-20),
    sine_limit=1e6,
    sine=(
        -0.16666666666666632,
        0.008333333333322372,
        -0.00019841269829771387,
        2.7557313678655805e-06,
        -2.5050755955088075e-08,
        1.5896666048580982e-10,
    ),  # error 7e-18
    cosine=(
        0.0416666666666666,
        -0.0013888888888874066,
        2.480158728944372e-05,
        -2.755731434069791e-07,
        2.0875721626493253e-09,
        -1.1359559381060746e-11,
    ),  # error 1e-18
)
