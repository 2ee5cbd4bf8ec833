// The certificate an access server is known by over RadSec, as one line of text: `dns:…`, `cn:…` or `sha256:…`.

const forms: readonly { readonly kind: string; readonly pattern: RegExp; normal(value: string): string }[] = [
  // The octets of the whole certificate (DER), as `openssl x509 -fingerprint -sha256` shows them.
  { kind: 'sha256', pattern: /^[0-9a-f]{64}$/, normal: (value) => value.toLowerCase().replaceAll(':', '') },
  {
    kind: 'dns',
    pattern: /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
    normal: (value) => value.toLowerCase().replace(/\.$/, ''),
  },
  { kind: 'cn', pattern: /^(?! )[^\p{Cc}]{1,64}(?<! )$/u, normal: (value) => value },
];

/** The identity in the spelling in which it is kept and compared; undefined when the text is none. */
export function radsecIdentity(text: string): string | undefined {
  const at = text.indexOf(':');
  const form = forms.find(({ kind }) => kind === text.slice(0, at).toLowerCase());
  const value = form?.normal(text.slice(at + 1));
  return form && value !== undefined && form.pattern.test(value) ? `${form.kind}:${value}` : undefined;
}
