// The methods of EAP that may be offered, by the names of the setting EAP_METHODS.

export const eapMethodNames = ['peap', 'ttls', 'tls', 'mschapv2', 'md5', 'gtc'] as const;
export type EapMethodName = (typeof eapMethodNames)[number];

/** Those that need a certificate of the server; `tls` also needs to know who signs those of subscribers. */
export const eapMethodsWithTls: readonly EapMethodName[] = ['peap', 'ttls', 'tls'];
