// crypt(3) of this system, for passwords that were hashed by it: libcrypt through koffi, off the event loop. Why: docs/adr/0003.
import { messageOf } from './errors.ts';

export type Crypt = {
  /** The hash by the method and salt that `setting`, usually a former hash, begins with; null when the library refuses it. */
  hash(password: Buffer, setting: Buffer): Promise<string | null>;
};

/** libxcrypt (Debian, Ubuntu: .1; Fedora, Arch: .2), then musl, whose C library has it. */
const libraries = ['libcrypt.so.1', 'libcrypt.so.2', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1'];
/** sizeof(struct crypt_data) of the old glibc, the largest of them; it has to be zero at first. */
const dataBytes = 131_232;

let opened: Promise<Crypt | string> | undefined;

/** The same for every caller; a text says why there is none. */
export function openCrypt(): Promise<Crypt | string> {
  opened ??= open();
  return opened;
}

async function open(): Promise<Crypt | string> {
  let koffi: typeof import('koffi');
  try {
    // Its exports lie in `default` where it is a CommonJS module.
    const module = await import('koffi');
    koffi = 'load' in module ? module : (module as { default: typeof koffi }).default;
  } catch (error) {
    return `the package koffi is not there (${messageOf(error)})`;
  }
  for (const name of libraries) {
    let crypt: ReturnType<ReturnType<typeof koffi.load>['func']>;
    try {
      crypt = koffi.load(name).func('crypt_r', 'str', ['void *', 'void *', 'void *']);
    } catch {
      continue; // another system's name for it
    }
    return {
      hash: (password, setting) =>
        new Promise((resolve, reject) => {
          const texts = [terminated(password), terminated(setting), Buffer.alloc(dataBytes)];
          crypt.async(...texts, (error: Error | null, result: string | null) => {
            // Its memory is used until here.
            texts.length = 0;
            if (error) reject(error);
            else resolve(result === null || result.startsWith('*') ? null : result);
          });
        }),
    };
  }
  return `none of ${libraries.join(', ')} can be loaded`;
}

function terminated(octets: Buffer): Buffer {
  return Buffer.concat([octets, Buffer.of(0)]);
}
