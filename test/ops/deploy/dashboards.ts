// The dashboards of ops/deploy/grafana as the tests read them, and every query in them.
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

export type DatasourceRef = { readonly type: string; readonly uid: string };

export type Target = {
  readonly refId: string;
  readonly datasource: DatasourceRef;
  /** Prometheus. */
  readonly expr?: string;
  readonly legendFormat?: string;
  /** ClickHouse; format 0 is a time series, 1 a table. */
  readonly rawSql?: string;
  readonly format?: number | string;
};

export type Panel = {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: DatasourceRef;
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly Target[];
};

export type Variable = {
  readonly name: string;
  readonly type: string;
  readonly datasource?: DatasourceRef;
  readonly query: string | { readonly query: string };
};

export type Dashboard = {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
  readonly annotations: { readonly list: readonly { readonly datasource: DatasourceRef; readonly expr: string }[] };
};

/** A query, and where it stands for whoever mends it. */
export type Query = {
  readonly at: string;
  readonly text: string;
  readonly legend?: string;
  readonly overTime?: boolean;
};

export const grafanaFolder = path.resolve(import.meta.dirname, '../../../ops/deploy/grafana');

export const dashboards: readonly { readonly file: string; readonly board: Dashboard }[] = globSync(
  'dashboards/*.json',
  {
    cwd: grafanaFolder,
  },
)
  .sort()
  .map((file) => ({ file, board: JSON.parse(readFileSync(path.join(grafanaFolder, file), 'utf8')) }));

const targets = dashboards.flatMap(({ file, board }) =>
  board.panels.flatMap(({ title, targets = [] }) =>
    targets.map((target) => ({ at: `${file}: ${title} ${target.refId}`, target })),
  ),
);

const variables = dashboards.flatMap(({ file, board }) =>
  board.templating.list.map((variable) => ({ at: `${file}: $${variable.name}`, variable })),
);

export const promQueries: readonly Query[] = [
  ...targets.flatMap(({ at, target: { expr, legendFormat = '' } }) =>
    expr === undefined ? [] : [{ at, text: expr, legend: legendFormat }],
  ),
  ...dashboards.flatMap(({ file, board }) =>
    board.annotations.list.map(({ expr }) => ({ at: `${file}: annotation`, text: expr })),
  ),
];

export const sqlQueries: readonly Query[] = [
  ...targets.flatMap(({ at, target: { rawSql, format } }) =>
    rawSql === undefined ? [] : [{ at, text: rawSql, overTime: format === 0 }],
  ),
  ...variables.flatMap(({ at, variable }) =>
    variable.datasource?.type === 'grafana-clickhouse-datasource' && typeof variable.query === 'string'
      ? [{ at, text: variable.query }]
      : [],
  ),
];

/** `label_values(series, label)`: the only kind of Prometheus variable there is here. */
export const labelQueries: readonly Query[] = variables.flatMap(({ at, variable }) =>
  typeof variable.query === 'string' ? [] : [{ at, text: variable.query.query }],
);
