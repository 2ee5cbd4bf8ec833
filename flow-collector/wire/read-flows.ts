// Runs a compiled template over a set: hands full columns over in between and assigns the sampling rates.
import { type FlowColumns, flag } from './columns.ts';
import type { Program } from './compile.ts';
import { count } from './counts.ts';
import type { Frame } from './frame.ts';
import { assignRates, generalRate, type Sampling } from './sampling.ts';

export type ReadFlows = (
  program: Program,
  view: DataView,
  at: number,
  end: number,
  frame: Frame,
  sampling: Sampling,
  templateId: number,
) => void;

/** `onFull` must take the rows and clear the columns. */
export function createReadFlows(columns: FlowColumns, onFull: (columns: FlowColumns) => void): ReadFlows {
  return (program, view, at, end, frame, sampling, templateId) => {
    const { exporter } = frame;
    const fallback = exporter.samplingRate ?? 1;
    const general = generalRate(sampling, templateId) || (sampling.isAmbiguous ? undefined : fallback);
    const isUnknown = general === undefined;
    const byRow = program.names !== 'nothing' || sampling.rates.interface.size > 0;
    frame.samplingRate = general ?? fallback;
    frame.flags = isUnknown && !byRow ? flag.samplingUnknown : 0;

    const limit = columns.capacity - program.rowsPerRecord + 1;
    let from = at;
    for (;;) {
      const before = columns.count;
      from = program.read(view, from, end, frame);
      const added = columns.count - before;
      let unknown = isUnknown ? added : 0;
      if (byRow) unknown = assignRates(columns, before, columns.count, sampling, general, fallback, program.names);
      if (unknown > 0) count(exporter.counts, 'sampling_unknown', unknown);
      if (columns.count < limit) return;
      onFull(columns);
      if (columns.count >= limit) throw new Error('onFull left no room in the columns');
    }
  };
}
