// What is remembered of each exporter: templates, observation domains, data that waits for its template; all of it bounded.
import { type Bounded, createBounded, type Evictable, tier } from './bounded.ts';
import { count } from './counts.ts';
import type { Exporter } from './exporter.ts';
import { type Limits, weight } from './limits.ts';
import type { PendingSet } from './pending.ts';
import { createSampling, type Sampling } from './sampling.ts';
import { createSequence, type Sequence } from './sequence.ts';
import { domainKey, isOf, type Template, type Templates, templateKey } from './template.ts';

/** One source id of one version: its own sequence, its own sampling. */
export type Domain = Evictable<number> & {
  readonly sender: Sender;
  readonly version: number;
  readonly sourceId: number;
  readonly sequence: Sequence;
  readonly sampling: Sampling;
  /** Of the last datagram; −1 before the first. */
  uptimeMs: number;
  /** Templates used last, by the low bits of their ids: a look-up in a large map costs more than reading a record. */
  readonly recent: (Template | undefined)[];
  /** Where it stood when a snapshot was taken, until its first datagram. */
  restored: { readonly uptimeMs: number; readonly expected: number } | undefined;
};

export type Sender = Evictable<string> & {
  /** The one of the last datagram. */
  lastDomain: Domain | undefined;
  readonly domains: Bounded<number, Domain>;
  readonly templates: Templates;
  /** Oldest first. */
  pending: PendingSet[];
  pendingBytes: number;
  bytes: number;
  /** Undefined while only a snapshot or another worker spoke of it. */
  exporter: Exporter | undefined;
};

export type Senders = {
  /** What is known of the address; new ones are fresh. */
  of(address: string): Sender;
  domain(sender: Sender, version: number, sourceId: number): Domain;
  /** The template data has now: undefined when there is none, or it is too old. */
  template(domain: Domain, id: number, nowMs: number): Template | undefined;
  /** Takes the place of a template of the same key. */
  define(sender: Sender, template: Template): void;
  withdraw(sender: Sender, template: Template): void;
  forgetTemplates(domain: Domain): void;
  /** Its data was decoded: it is no flood's. */
  promote(domain: Domain, template: Template | undefined): void;
  /** Accounts for memory; others are given up while all take too much. */
  charge(sender: Sender, bytes: number): void;
  expireTemplates(sender: Sender, nowMs: number): void;
  values(): Iterable<Sender>;
  readonly bytes: number;
};

const recentTemplates = 4;

const weightOf = (template: Template) => weight.template + template.layout.length * 2;

export function createSenders(limits: Limits): Senders {
  let bytes = 0;
  const senders = createBounded<string, Sender>(limits.exporters, (sender) => {
    bytes -= sender.bytes;
    if (!sender.exporter) return;
    count(sender.exporter.counts, 'template_evicted', sender.templates.size);
    count(sender.exporter.counts, 'set_dropped', sender.pending.length);
  });

  function charge(sender: Sender, by: number): void {
    bytes += by;
    sender.bytes += by;
    while (by > 0 && bytes > limits.totalBytes && senders.evict(sender));
  }

  function withdraw(sender: Sender, template: Template): void {
    template.isGone = true;
    sender.templates.delete(template);
    charge(sender, -weightOf(template));
  }

  function createSender(address: string): Sender {
    const sender: Sender = {
      key: address,
      tier: tier.fresh,
      touched: false,
      lastDomain: undefined,
      domains: createBounded(limits.domainsPerExporter, (domain) => {
        if (sender.lastDomain === domain) sender.lastDomain = undefined;
        charge(sender, -weightOfDomain(domain));
      }),
      templates: createBounded(limits.templatesPerExporter, (template) => {
        template.isGone = true;
        charge(sender, -weightOf(template));
        if (sender.exporter) count(sender.exporter.counts, 'template_evicted');
      }),
      pending: [],
      pendingBytes: 0,
      bytes: 0,
      exporter: undefined,
    };
    return sender;
  }

  const isTooOld = (template: Template, nowMs: number) =>
    nowMs - Math.max(template.announcedAtMs, template.usedAtMs) > limits.templateMaxAgeMs;

  function expire(sender: Sender, template: Template): void {
    withdraw(sender, template);
    if (sender.exporter) count(sender.exporter.counts, 'template_expired');
  }

  return {
    get bytes() {
      return bytes;
    },
    of(address) {
      const found = senders.get(address);
      if (found) return found;
      const sender = createSender(address);
      senders.add(sender);
      charge(sender, weight.sender);
      return sender;
    },
    domain(sender, version, sourceId) {
      const last = sender.lastDomain;
      if (last && last.sourceId === sourceId && last.version === version) {
        last.touched = true;
        return last;
      }
      const key = domainKey(version, sourceId);
      const found = sender.domains.get(key);
      if (found) {
        sender.lastDomain = found;
        return found;
      }
      const domain: Domain = {
        key,
        tier: tier.fresh,
        touched: false,
        sender,
        version,
        sourceId,
        sequence: createSequence(),
        sampling: createSampling(),
        uptimeMs: -1,
        recent: Array(recentTemplates).fill(undefined),
        restored: undefined,
      };
      sender.domains.add(domain);
      sender.lastDomain = domain;
      charge(sender, weightOfDomain(domain));
      return domain;
    },
    template(domain, id, nowMs) {
      const place = id & (recentTemplates - 1);
      let template = domain.recent[place];
      if (template && template.id === id && !template.isGone) template.touched = true;
      else {
        template = domain.sender.templates.get(templateKey(domain.key, id));
        domain.recent[place] = template;
      }
      if (!template || !isTooOld(template, nowMs)) return template;
      expire(domain.sender, template);
      return undefined;
    },
    define(sender, template) {
      const old = sender.templates.get(template.key);
      if (old) withdraw(sender, old);
      sender.templates.add(template);
      charge(sender, weightOf(template));
    },
    withdraw,
    forgetTemplates(domain) {
      const { sender } = domain;
      for (const template of sender.templates.values()) {
        if (isOf(domain, template.key)) withdraw(sender, template);
      }
    },
    promote(domain, template) {
      const { sender } = domain;
      if (template) sender.templates.promote(template, tier.proven);
      sender.domains.promote(domain, tier.proven);
      senders.promote(sender, sender.exporter?.known ? tier.known : tier.proven);
    },
    charge,
    expireTemplates(sender, nowMs) {
      for (const template of sender.templates.values()) if (isTooOld(template, nowMs)) expire(sender, template);
    },
    values: senders.values,
  };
}

function weightOfDomain({ sampling }: Domain): number {
  let rates = 0;
  for (const { size } of Object.values(sampling.rates)) rates += size;
  return weight.domain + rates * weight.rate;
}
