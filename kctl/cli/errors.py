"""What a failed command prints and its exit code, as kubectl's cmdutil.CheckErr words them.

    CommandError            `error: <message>`, exit code 1
     +-- UsageError         adds `See 'kctl <command> -h' for help and examples`
     +-- FlagError          adds `See 'kctl <command> --help' for usage.`
     +-- ConfigurationError `Error in configuration: ...`
     +-- NoLocalCluster     there is no cluster on this machine, or none is the current one
    AggregateError          several failures, each on its line
    Exit                    ends the command with a code and prints nothing more

API errors (kctl.apimachinery.status.ApiError) and ConnectionFailed pass through commands unchanged; `report` is the one
place that turns any of them into text. No Python traceback reaches a user below -v=6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kctl.client.errors import ConnectionFailed

if TYPE_CHECKING:
    from kctl.apimachinery.status import Invalid


class CommandError(Exception):
    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class UsageError(CommandError):
    """A wrong combination of arguments. `command` ('kctl get') is filled in by the command that runs."""


class FlagError(CommandError):
    """A flag that does not exist or whose value cannot be read."""


class ConfigurationError(CommandError):
    """The kubeconfig contradicts itself or the flags."""


class NoLocalCluster(CommandError):
    """The message says how to start or choose one."""


class Exit(Exception):
    def __init__(self, code: int = 0) -> None:
        super().__init__(code)
        self.code = code


class AggregateError(Exception):
    """Several failures of one command; those that went well have been printed."""

    def __init__(self, errors: Sequence[Exception]) -> None:
        super().__init__("; ".join(str(error) for error in errors))
        self.errors = errors


def raise_all(errors: Sequence[Exception]) -> None:
    """Raise one failure as itself, several as an aggregate (utilerrors.NewAggregate)."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise AggregateError(errors)


def with_source(error: Exception, verb: str, source: str) -> Exception:
    """`error when creating "x.yaml": ...` (cmdutil.AddSourceToErr). Without a source the error stays as it is."""
    if not source:
        return error
    from kctl.apimachinery.status import ApiError, from_status

    if isinstance(error, ApiError):
        return from_status({**error.status, "message": f'error when {verb} "{source}": {error.message}'})
    return CommandError(f'error when {verb} "{source}": {plain(error)}')


def plain(error: Exception) -> str:
    """The error as text without the prefix a user would see (Go's err.Error())."""
    from kctl.apimachinery.status import ApiError

    if isinstance(error, ApiError | CommandError):
        return error.message
    if isinstance(error, ConnectionFailed):
        return error.describe()
    return str(error)


def standard_message(error: Exception) -> str | None:
    """The server's and the network's failures, as kubectl introduces them; None for other errors."""
    from kctl.apimachinery.status import ApiError, Unauthorized

    if isinstance(error, ApiError):
        if isinstance(error, Unauthorized):
            return f"error: You must be logged in to the server ({error.message})"
        reason = error.status.get("reason")
        return f"Error from server ({reason}): {error.message}" if reason else f"Error from server: {error.message}"
    if isinstance(error, ConnectionFailed):
        if "connection refused" in error.why:
            return f"The connection to the server {error.host} was refused - did you specify the right host or port?"
        return f"Unable to connect to the server: {error.why}"
    return None


def _invalid(error: Invalid) -> str:
    details = error.details
    if not details:
        return f"The request is invalid: {error.message}" if error.message else "The request is invalid"
    text = "The request is invalid"
    if details.get("kind") or details.get("name"):
        text = f'The {details.get("kind", "")} "{details.get("name", "")}" is invalid'
    elif error.message and not details.get("causes"):
        text = f"The request is invalid: {error.message}"
    causes = _causes(details.get("causes") or ())
    if not causes:
        return text
    return f"{text}: {causes[0]}" if len(causes) == 1 else "\n".join([f"{text}: ", *(f"* {cause}" for cause in causes)])


def _causes(causes: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(f"{cause.get('field', '')}: {cause.get('message', '')}" for cause in causes))


def text_of(error: Exception, program: str) -> tuple[str, int]:
    """What to print (without the final newline) and the exit code. `program` is e.g. 'kctl get'."""
    if isinstance(error, AggregateError):
        return "\n".join(standard_message(nested) or plain(nested) for nested in error.errors), 1
    if isinstance(error, ConfigurationError):
        return f"Error in configuration: {error.message}", error.code
    if isinstance(error, CommandError):
        text = error.message if error.message.startswith("error: ") else f"error: {error.message}"
        if isinstance(error, UsageError):
            text += f"\nSee '{program} -h' for help and examples"
        elif isinstance(error, FlagError):
            text += f"\nSee '{program} --help' for usage."
        return text, error.code
    from kctl.apimachinery.status import Invalid

    if isinstance(error, Invalid):
        return _invalid(error), 1
    standard = standard_message(error)
    return (standard if standard is not None else f"error: {error}"), 1


def report(error: Exception, program: str, write: Callable[[str], object]) -> int:
    """Print the failure and give its exit code."""
    text, code = text_of(error, program)
    if text:
        write(text + "\n")
    return code
