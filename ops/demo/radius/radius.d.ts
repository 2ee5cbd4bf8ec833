// Types of the `radius` package, as far as it is used: the foreign codec that simulated access servers and tests speak with.
declare module 'radius' {
  export type Value = string | number | Buffer | Date;
  export type Attribute = readonly [name: string, value: Value];
  export type Decoded = {
    readonly code: string;
    readonly identifier: number;
    readonly authenticator: Buffer;
    /** By name; an attribute that occurs several times is a list, vendor attributes are below `Vendor-Specific`. */
    readonly attributes: Readonly<
      Record<string, Value | readonly Value[] | Readonly<Record<string, Value>> | undefined>
    >;
    readonly raw_attributes: readonly (readonly [type: number, value: Buffer])[];
  };
  const radius: {
    add_dictionary(path: string): void;
    encode(packet: {
      code: string;
      secret: string;
      identifier: number;
      authenticator?: Buffer;
      attributes: readonly Attribute[];
    }): Buffer;
    /** The attributes become the answer's; Proxy-State and a Message-Authenticator are added when the request had them. */
    encode_response(answer: { packet: Decoded; code: string; secret: string; attributes: Attribute[] }): Buffer;
    decode(packet: { packet: Buffer; secret: string }): Decoded;
    decode_without_secret(packet: { packet: Buffer }): Decoded;
    verify_response(exchange: { request: Buffer; response: Buffer; secret: string }): boolean;
  };
  export default radius;
}
