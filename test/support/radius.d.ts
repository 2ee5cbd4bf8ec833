// Types of the `radius` package, as far as the tests use it: the independent oracle of the codec.
declare module 'radius' {
  type Attributes = readonly (readonly [string, string | number | Buffer])[];
  const radius: {
    encode(packet: { code: string; secret: string; identifier: number; attributes: Attributes }): Buffer;
    decode(packet: { packet: Buffer; secret: string }): { attributes: Readonly<Record<string, unknown>> };
    decode_without_secret(packet: { packet: Buffer }): { attributes: Readonly<Record<string, unknown>> };
    verify_response(exchange: { request: Buffer; response: Buffer; secret: string }): boolean;
  };
  export default radius;
}
