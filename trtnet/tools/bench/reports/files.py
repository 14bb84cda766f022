"""The files that `trtnet bench` is asked to write."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path

from trtnet.runtime import Engine
from trtnet.support.files import check_writable
from trtnet.tools.bench.reports import plots, trtexec_export as export
from trtnet.tools.bench.reports.report import Bench


@dataclass(frozen=True)
class Files:
    """plot: the picture, .png or .html. The others are trtexec's exports; layers is what its engine inspector says."""

    plot: Path | None = None
    times: Path | None = None
    profile: Path | None = None
    output: Path | None = None
    layers: Path | None = None

    def check(self) -> None:
        """Raises TrtnetError for one that cannot be written, before anything is measured."""
        for path in astuple(self):
            if path is not None:
                check_writable(path)
        if self.plot is not None:
            plots.check(self.plot)

    def write(self, bench: Bench, engine: Engine, depth: int) -> None:
        """depth: of the modules in the picture. Raises TrtnetError."""
        if self.plot is not None:
            plots.save(bench, self.plot, depth)
        if self.times is not None:
            export.write(self.times, export.text(export.times(bench.measurement.samples)))
        if self.profile is not None and bench.profile is not None:
            export.write(self.profile, export.text(export.layers(bench.profile)))
        if self.output is not None:
            export.write(self.output, export.text(export.outputs(bench.measurement.outputs)))
        if self.layers is not None:
            export.write(self.layers, engine.inspect().layers)
