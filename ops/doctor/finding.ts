// What one check of the doctor found; anything but `ok` names its mend.
export type Finding = {
  subject: string;
  state: 'ok' | 'warn' | 'bad';
  text: string;
  mend?: string;
};

export const ok = (subject: string, text: string): Finding => ({ subject, state: 'ok', text });
export const warn = (subject: string, text: string, mend: string): Finding => ({ subject, state: 'warn', text, mend });
export const bad = (subject: string, text: string, mend: string): Finding => ({ subject, state: 'bad', text, mend });
