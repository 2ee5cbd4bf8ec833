// How much an exporter, and all of them together, may make the decoder remember: everything counted from the wire is bounded here.

export type Limits = {
  readonly exporters: number;
  /** Observation domains (source ids, engines) of one exporter. */
  readonly domainsPerExporter: number;
  readonly templatesPerExporter: number;
  readonly fieldsPerTemplate: number;
  /** Of everything that is remembered, by estimate. */
  readonly totalBytes: number;
  /** Data that waits for its template. */
  readonly pendingBytesPerExporter: number;
  readonly pendingMs: number;
  /** A template neither announced nor used for so long is forgotten. */
  readonly templateMaxAgeMs: number;
  /** Compiled layouts. */
  readonly layouts: number;
};

export const defaultLimits: Limits = {
  exporters: 4096,
  domainsPerExporter: 256,
  templatesPerExporter: 1024,
  fieldsPerTemplate: 512,
  totalBytes: 64 * 2 ** 20,
  pendingBytesPerExporter: 128 * 2 ** 10,
  pendingMs: 300_000,
  templateMaxAgeMs: 86_400_000,
  layouts: 1024,
};

/** What things take beside their text, measured generously: octets. */
export const weight = { sender: 4000, domain: 1800, template: 600, pending: 400, rate: 100 } as const;
