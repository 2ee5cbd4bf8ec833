// Types of the `radius` package, as far as the tests use it: the independent oracle of the codec.
declare module 'radius' {
  type Attributes = readonly (readonly [string, string | number | Buffer])[];
  const radius: {
    encode(packet: { code: string; secret: string; identifier: number; attributes: Attributes }): Buffer;
    verify_response(exchange: { request: Buffer; response: Buffer; secret: string }): boolean;
  };
  export default radius;
}
