// A template as it is kept: the field specifiers packed into a string, the rest small, because floods bring many.
import type { Bounded, Evictable } from './bounded.ts';
import type { Field } from './layout.ts';
import type { CompiledLayout } from './programs.ts';

export type TemplateKind = 'data' | 'options';

export type Template = Evictable<number> & {
  readonly id: number;
  readonly kind: TemplateKind;
  /** How many of the first fields say what an option is about. */
  readonly scopeFields: number;
  /** Two characters a field: element and length. */
  readonly layout: string;
  /** When it was last announced and last used to decode, UTC ms. */
  announcedAtMs: number;
  usedAtMs: number;
  /** When other workers were last told. */
  sharedAtMs: number;
  compiled: CompiledLayout | undefined;
  /** Withdrawn, replaced, expired or given up. */
  isGone: boolean;
};

export type Templates = Bounded<number, Template>;

/** One key for (version, source id, template id): the spaces of versions are apart. */
export function templateKey(domainKey: number, id: number): number {
  return domainKey * 65536 + id;
}

/** Whether a template's key is one of the domain. */
export function isOf(domain: { readonly key: number }, key: number): boolean {
  return Math.floor(key / 65536) === domain.key;
}

export function domainKey(version: number, sourceId: number): number {
  return version * 2 ** 32 + sourceId;
}

export function packFields(fields: readonly Field[]): string {
  return String.fromCharCode(...fields.flatMap(({ element, length }) => [element, length]));
}

export function unpackFields(layout: string): Field[] {
  return Array.from({ length: layout.length / 2 }, (_, i) => ({
    element: layout.charCodeAt(i * 2),
    length: layout.charCodeAt(i * 2 + 1),
  }));
}

/** Packs the `count` field specifiers of four octets at `at`. */
export function packFieldsAt(view: DataView, at: number, count: number): string {
  return String.fromCharCode(...Array.from({ length: count * 2 }, (_, i) => view.getUint16(at + i * 2)));
}
