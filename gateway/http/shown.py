"""What shows our forms, each by the hash of its specimen, which proof of a consent names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from consent import specimens
from consent.sign_ups import RenderedBy, SignUp
from consent.specimens import Specimen
from storage.clock import Clock
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Showing:
    """A page, or a script, that shows a form; with a *locale* in that language alone."""

    form: str
    rendered_by: RenderedBy
    specimen: Specimen
    locale: str | None = None
    texts: Collection[str] | None = None  # by hash; none: it fetches those that are current

    def fits(self, rendered_by: RenderedBy, said: SignUp) -> bool:
        """Whether what was signed up to was shown by it."""
        if (self.form, self.rendered_by) != (said.form, rendered_by):
            return False
        texts = self.texts
        return texts is None or all(asked.text_hash in texts for asked in said.asked)


@dataclass(slots=True)
class Shown:
    """Those of this process; none until they are kept, so that none is named that is not."""

    _showing: Sequence[Showing] = field(default=())

    async def keep(
        self,
        data: Database,
        clock: Clock,
        showing: Sequence[Showing],
        others: Sequence[Specimen] = (),
    ) -> None:
        """Keep the specimens, with *others* that are named without it."""
        async with data.begin() as connection:
            now = await clock.now(connection)
            await specimens.keep(connection, [*(one.specimen for one in showing), *others], now)
        self._showing = tuple(showing)

    def by(self, rendered_by: RenderedBy, said: SignUp) -> str | None:
        """The name of what showed the form of a sign-up; None where that is not known."""
        found = [one for one in self._showing if one.fits(rendered_by, said)]
        ours = [one for one in found if one.locale in (None, said.locale)]
        return next((one.specimen.name for one in ours), None)
