// The pages of ops/docs that are made from the sources.
import path from 'node:path';
import { settings as aaaServer } from '#aaa-server/config.ts';
import { settings as controlApi } from '#control-api/config.ts';
import { errors } from '#control-api/errors.ts';
import { settings as flowCollector } from '#flow-collector/config.ts';
import { settings as start } from '#ops/up/settings.ts';
import { configurationPage } from './configuration-page.ts';
import { errorsPage } from './errors-page.ts';

const docs = path.resolve(import.meta.dirname, '../../ops/docs');

export const pages: readonly { readonly file: string; readonly text: string }[] = [
  {
    file: path.join(docs, 'configuration.md'),
    text: configurationPage([
      { process: 'npm start', settings: start },
      { process: 'aaa-server', settings: aaaServer },
      { process: 'flow-collector', settings: flowCollector },
      { process: 'control-api', settings: controlApi },
    ]),
  },
  { file: path.join(docs, 'errors.md'), text: errorsPage(errors) },
];
