"""Commands whose options take one value, or say that they take several."""

from __future__ import annotations

import click


class Command(click.Command):
    """A command that refuses a second value of an option that takes one: click itself would drop the first
    without a word."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            _, _, given = self.make_parser(ctx).parse_args(list(args))
            for option in given:
                takes_one = isinstance(option, click.Option) and not (option.is_flag or option.count)
                if takes_one and not option.multiple and given.count(option) > 1:
                    raise click.UsageError(f"{option.opts[-1]} is given twice, and takes one value", ctx)
        return super().parse_args(ctx, args)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command
