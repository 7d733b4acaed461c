"""Brackets: bursts whose frames differ in exposure. Their samples get common units, and every frame its own noise and saturation.

Inside, 1.0 is the saturation of the shortest exposure, so that no stage meets a level above 1; the result is multiplied by `Bracket.peak` at the end.
"""

from burstsr.bracket.blur import bracket_blur
from burstsr.bracket.pairs import PairModels
from burstsr.bracket.register import register_bracket
from burstsr.bracket.units import Bracket, bracket_of

__all__ = ["Bracket", "PairModels", "bracket_blur", "bracket_of", "register_bracket"]
