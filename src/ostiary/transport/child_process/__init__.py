"""Child processes that are spoken to in lines: started, watched, and ended with whatever they started.

children        all of one owner
process         one
command         what is run, where, with which environment
lines           bytes → lines, of a bounded length
standard_error  what it says on its standard error → lines for a log
keeper          a program of its own: ends what is left when we are gone
"""

from ostiary.transport.child_process.children import Children
from ostiary.transport.child_process.command import ChildNotStarted, Command
from ostiary.transport.child_process.process import ChildProcess, Hearer

__all__ = ["ChildNotStarted", "ChildProcess", "Children", "Command", "Hearer"]
