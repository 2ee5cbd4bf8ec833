// ClickHouse's errors as its HTTP interface answers them: code, status and text.

/** An error of ours that ClickHouse has a code for. */
export class ClickHouseException extends Error {
  override name = 'ClickHouseException';
  readonly code: number;
  readonly errorName: string;
  constructor(code: number, errorName: string, message: string) {
    super(message);
    this.code = code;
    this.errorName = errorName;
  }
}

export const notImplemented = (message: string) => new ClickHouseException(48, 'NOT_IMPLEMENTED', message);
export const badArguments = (message: string) => new ClickHouseException(36, 'BAD_ARGUMENTS', message);

export type Refusal = { code: number; status: number; text: string };

const VERSION_SUFFIX = / \(version [^)]*\)\.?/;

/** What the client is told of an error of ours or of the engine's. `hide` is taken out of its text. */
export function refusalOf(error: unknown, version: string, hide: RegExp): Refusal {
  const message = error instanceof Error ? error.message : String(error);
  const ours = error instanceof ClickHouseException;
  const raw = ours
    ? `Code: ${error.code}. DB::Exception: ${message} (${error.errorName})`
    : message.replaceAll(hide, '');
  // An insert's error comes wrapped in itself.
  const text = raw
    .replace(/^(Code: \d+\. DB::Exception: )(?:Code: \d+\. DB::Exception: )+/, '$1')
    .replace(VERSION_SUFFIX, '');
  const code = Number(/^Code: (\d+)\./.exec(text)?.[1] ?? 1002);
  const whole = text.startsWith('Code: ') ? text : `Code: ${code}. DB::Exception: ${text} (UNKNOWN_EXCEPTION)`;
  return { code, status: statusOf(code), text: `${whole} (version ${version})\n` };
}

/** As src/Server/HTTP/exceptionCodeToHTTPStatus.cpp of ClickHouse; our two limits are 413 as well. */
const codesByStatus: Readonly<Record<number, readonly number[]>> = {
  400: [
    6, 25, 26, 27, 36, 38, 41, 43, 44, 53, 62, 69, 72, 117, 167, 168, 427, 441, 675, 676, 16, 15, 8, 376, 46_000, 32,
  ],
  401: [194],
  403: [192, 193, 497, 516, 512],
  404: [46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 151, 336, 511],
  408: [159],
  411: [381],
  413: [291, 307],
  415: [741],
  501: [48],
  503: [76, 209, 202, 439],
};

const statuses = new Map(
  Object.entries(codesByStatus).flatMap(([status, codes]) => codes.map((code) => [code, Number(status)])),
);

function statusOf(code: number): number {
  return statuses.get(code) ?? 500;
}
