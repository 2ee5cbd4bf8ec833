// The compiled layouts, shared by every template that looks the same: compiled at first use, bounded in number and in new ones a second.
import { createBounded, type Evictable, tier } from './bounded.ts';
import type { FlowColumns } from './columns.ts';
import { compileTemplate, type Program } from './compile.ts';
import type { Exporter } from './exporter.ts';
import { createFirewallUpdates } from './firewall-updates.ts';
import { type Template, unpackFields } from './template.ts';
import { createTokenBucket } from './token-bucket.ts';

export type CompiledLayout = Evictable<string> & {
  readonly totalsAreDeltas: boolean;
  /** Undefined once it was given up. */
  program: Program | undefined;
};

export type Programs = {
  /** The program of a template; undefined when too many new layouts came at once. */
  of(template: Template, exporter: Exporter, nowMs: number): Program | undefined;
};

/** A compilation takes about half a millisecond: a flood of new layouts may use a twentieth of a core, and leaves the operator's exporters theirs. */
const newLayoutsPerSecond = 100;
const newLayoutsBurst = 1000;

export function createPrograms(limit: number, columns: FlowColumns): Programs {
  const updates = createFirewallUpdates();
  const ofKnown = createTokenBucket(newLayoutsPerSecond, newLayoutsBurst);
  const ofOthers = createTokenBucket(newLayoutsPerSecond, newLayoutsBurst);
  const compiled = createBounded<string, CompiledLayout>(limit, (layout) => {
    layout.program = undefined;
  });

  return {
    of(template, { totalsAreDeltas, known }, nowMs) {
      const last = template.compiled;
      if (last?.program && last.totalsAreDeltas === totalsAreDeltas) {
        last.touched = true;
        // Used a second time: not the layout of a forged template.
        if (last.tier === tier.fresh) compiled.promote(last, tier.proven);
        return last.program;
      }
      // A layout has an even number of characters, so the keys stay apart.
      const key = totalsAreDeltas ? `+${template.layout}` : template.layout;
      let found = compiled.get(key);
      if (!found) {
        if (!(known ? ofKnown : ofOthers).take(nowMs)) return undefined;
        const program = compileTemplate(unpackFields(template.layout), totalsAreDeltas, columns, updates);
        found = { key, tier: known ? tier.known : tier.fresh, touched: false, totalsAreDeltas, program };
        compiled.add(found);
      }
      template.compiled = found;
      return found.program;
    },
  };
}
