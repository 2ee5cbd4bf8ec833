// The templates of every exporter at work: announced, learned from other workers, used to read data, and waited for.
import { tier } from './bounded.ts';
import { count } from './counts.ts';
import type { Exporter } from './exporter.ts';
import { createFrame, type Frame } from './frame.ts';
import { type Learned, learnedRate, learnedTemplate } from './learned.ts';
import { type Limits, weight } from './limits.ts';
import { readOptions } from './options.ts';
import type { Pending } from './pending.ts';
import type { Programs } from './programs.ts';
import type { ReadFlows } from './read-flows.ts';
import { learnRate, type SamplingRate } from './sampling.ts';
import type { Domain, Senders } from './senders.ts';
import { packFieldsAt, type Template, type TemplateKind, templateKey } from './template.ts';
import { createTokenBucket } from './token-bucket.ts';

/** A template on the wire: `fields` specifiers of four octets begin at `at`; without any it is withdrawn. */
export type Announcement = {
  readonly id: number;
  readonly kind: TemplateKind;
  readonly scopeFields: number;
  readonly fields: number;
  readonly at: number;
};

/** What a template says, however it came. */
export type Definition = Pick<Template, 'id' | 'kind' | 'scopeFields' | 'layout'>;

export type KnownTemplates = {
  /** The exporter has started anew: its ids may mean something else, also in what waits. */
  forget(domain: Domain): void;
  announce(domain: Domain, announcement: Announcement, view: DataView, frame: Frame): void;
  /** Takes over what another worker or a snapshot knows, unless something newer is known here; the template that holds now. */
  learn(domain: Domain, definition: Definition, announcedAtMs: number, nowMs: number): Template;
  learnRate(domain: Domain, rate: SamplingRate): boolean;
  /** Reads the set of octets [at, end) behind its header, or keeps it until its template comes. */
  readData(domain: Domain, id: number, view: DataView, at: number, end: number, frame: Frame): void;
  /** Takes only the sampling rates from a set, if it has option records. */
  readRates(domain: Domain, id: number, view: DataView, at: number, end: number, frame: Frame): void;
};

export type KnownTemplatesDeps = {
  readonly limits: Limits;
  readonly senders: Senders;
  readonly pending: Pending;
  readonly programs: Programs;
  readonly readFlows: ReadFlows;
  onLearned(learned: Learned): void;
};

/** A template announced again and again is told to other workers this often. */
const shareAgainMs = 600_000;
const sharesPerSecond = 500;
const sharesBurst = 20_000;

export function createKnownTemplates(deps: KnownTemplatesDeps): KnownTemplates {
  const { limits, senders, pending, programs, readFlows, onLearned } = deps;
  const shares = createTokenBucket(sharesPerSecond, sharesBurst);
  const lateFrame = createFrame();

  function share(domain: Domain, template: Template, nowMs: number): void {
    if (nowMs - template.sharedAtMs < shareAgainMs || !shares.take(nowMs)) return;
    template.sharedAtMs = nowMs;
    onLearned(learnedTemplate(domain, template));
  }

  function define(domain: Domain, definition: Definition, announcedAtMs: number): Template {
    const key = templateKey(domain.key, definition.id);
    const template: Template = {
      ...definition,
      key,
      tier: tier.fresh,
      touched: false,
      announcedAtMs,
      usedAtMs: 0,
      sharedAtMs: Number.NEGATIVE_INFINITY,
      compiled: undefined,
      isGone: false,
    };
    senders.define(domain.sender, template);
    return template;
  }

  function readWaiting(domain: Domain, template: Template, nowMs: number): void {
    for (const set of pending.take(domain.sender, template.key, nowMs)) {
      const { view, exporter, receivedAtMs, exportedAtMs, uptimeMs } = set;
      Object.assign(lateFrame, { exporter, receivedAtMs, exportedAtMs, uptimeMs, version: domain.version });
      count(exporter.counts, 'set_decoded_late');
      read(domain, template, view, 0, view.byteLength, lateFrame);
    }
  }

  function withdraw(domain: Domain, id: number, { exporter, receivedAtMs }: Frame): void {
    const template = senders.template(domain, id, receivedAtMs);
    if (!template) return;
    senders.withdraw(domain.sender, template);
    count(exporter.counts, 'template_withdrawn');
  }

  function takeRate(domain: Domain, rate: SamplingRate): boolean {
    const rates = domain.sampling.rates[rate.scope];
    const before = rates.size;
    const isNews = learnRate(domain.sampling, rate);
    if (rates.size > before) senders.charge(domain.sender, weight.rate);
    return isNews;
  }

  function shareRate(domain: Domain, rate: SamplingRate, nowMs: number): void {
    if (!takeRate(domain, rate) || !shares.take(nowMs)) return;
    onLearned(learnedRate(domain, rate));
  }

  function read(domain: Domain, template: Template, view: DataView, at: number, end: number, frame: Frame): void {
    const { exporter, receivedAtMs } = frame;
    if (template.kind === 'options') {
      const records = readOptions(template, view, at, end, (rate) => shareRate(domain, rate, receivedAtMs));
      count(exporter.counts, 'records', records);
      count(exporter.counts, 'options_records', records);
      if (records > 0) use(domain, template, exporter, receivedAtMs);
      return;
    }
    const program = programs.of(template, exporter, receivedAtMs);
    if (!program) count(exporter.counts, 'layout_limited');
    else if (program.minLength === 0) count(exporter.counts, 'zero_length_record');
    else {
      readFlows(program, view, at, end, frame, domain.sampling, template.id);
      if (end - at >= program.minLength) use(domain, template, exporter, receivedAtMs);
    }
  }

  function use(domain: Domain, template: Template, { known }: Exporter, nowMs: number): void {
    template.usedAtMs = nowMs;
    if (template.tier === tier.fresh || (known && domain.sender.tier !== tier.known)) senders.promote(domain, template);
  }

  return {
    forget(domain) {
      senders.forgetTemplates(domain);
      pending.drop(domain);
    },
    announce(domain, { id, kind, scopeFields, fields, at }, view, frame) {
      const { exporter, receivedAtMs } = frame;
      count(exporter.counts, 'template_received');
      if (fields === 0) return withdraw(domain, id, frame);
      if (fields > limits.fieldsPerTemplate) return count(exporter.counts, 'template_malformed');
      const layout = packFieldsAt(view, at, fields);
      let template = senders.template(domain, id, receivedAtMs);
      if (isSame(template, kind, scopeFields, layout)) template.announcedAtMs = receivedAtMs;
      else {
        if (template) count(exporter.counts, 'template_changed');
        template = define(domain, { id, kind, scopeFields, layout }, receivedAtMs);
      }
      share(domain, template, receivedAtMs);
      readWaiting(domain, template, receivedAtMs);
    },
    learn(domain, definition, announcedAtMs, nowMs) {
      const { id, kind, scopeFields, layout } = definition;
      const known = senders.template(domain, id, nowMs);
      if (known && known.announcedAtMs >= announcedAtMs) return known;
      if (isSame(known, kind, scopeFields, layout)) {
        known.announcedAtMs = announcedAtMs;
        known.sharedAtMs = nowMs;
        return known;
      }
      const template = define(domain, definition, announcedAtMs);
      template.sharedAtMs = nowMs;
      readWaiting(domain, template, nowMs);
      return template;
    },
    learnRate: takeRate,
    readData(domain, id, view, at, end, frame) {
      const template = senders.template(domain, id, frame.receivedAtMs);
      if (template) return read(domain, template, view, at, end, frame);
      count(frame.exporter.counts, 'unknown_template');
      pending.keep(domain.sender, templateKey(domain.key, id), view, at, end, frame);
    },
    readRates(domain, id, view, at, end, { receivedAtMs }) {
      const template = senders.template(domain, id, receivedAtMs);
      if (template?.kind !== 'options') return;
      readOptions(template, view, at, end, (rate) => shareRate(domain, rate, receivedAtMs));
    },
  };
}

function isSame(
  known: Template | undefined,
  kind: TemplateKind,
  scopeFields: number,
  layout: string,
): known is Template {
  return known?.layout === layout && known.kind === kind && known.scopeFields === scopeFields;
}
