// The Grafana files hold together: references resolve, panels do not overlap, each says what it shows and in which unit.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { type DatasourceRef, dashboards, grafanaFolder, type Panel } from './dashboards.ts';

const provisioned: readonly DatasourceRef[] = readFileSync(
  path.join(grafanaFolder, 'provisioning/datasources/lastmile.yml'),
  'utf8',
)
  .split(/^ +- name: /m)
  .slice(1)
  .map((text) => ({
    uid: /^ +uid: (\S+)$/m.exec(text)?.[1] ?? '',
    type: /^ +type: (\S+)$/m.exec(text)?.[1] ?? '',
  }));

const isProvisioned = (ref: DatasourceRef | undefined) =>
  provisioned.some(({ uid, type }) => uid === ref?.uid && type === ref.type);

/** Types that Grafana brings along, and what they need to be read. */
const panelTypes = ['timeseries', 'stat', 'table', 'barchart', 'row'];

t.test('there are dashboards, each with a uid and a title of its own', async (t) => {
  t.ok(dashboards.length > 0);
  for (const key of ['uid', 'title'] as const) {
    t.equal(new Set(dashboards.map(({ board }) => board[key])).size, dashboards.length, key);
  }
  t.strictSame(
    provisioned.map(({ uid }) => uid),
    ['lastmile-prometheus', 'lastmile-clickhouse'],
  );
});

for (const { file, board } of dashboards) {
  t.test(`${file} is complete`, async (t) => {
    t.match(board.uid, /^lastmile-[a-z]+$/);
    t.equal(board.schemaVersion, 39, 'the oldest Grafana that opens it is 10.4');
    t.ok(board.description.length > 20);
    t.strictSame(board.tags, ['lastmile']);
    t.equal(new Set(board.panels.map(({ id }) => id)).size, board.panels.length, 'panel ids are unique');
    for (const panel of board.panels) {
      t.ok(panelTypes.includes(panel.type), `${panel.title}: ${panel.type}`);
      t.ok(panel.title.length > 2, `title of panel ${panel.id}`);
      if (panel.type !== 'row') checkPanel(t, panel);
    }
    for (const { name, datasource, type } of board.templating.list) {
      if (type !== 'textbox') t.ok(isProvisioned(datasource), `datasource of $${name}`);
    }
    for (const { datasource } of board.annotations.list) t.ok(isProvisioned(datasource), 'datasource of an annotation');
  });

  t.test(`${file} uses the variables it has, and no others`, async (t) => {
    const known = board.templating.list.map(({ name }) => name).sort();
    const text = JSON.stringify([board.panels, board.templating.list.map(({ query }) => query)]);
    const used = [...text.matchAll(/\$\{?([a-z_]\w*)(?=\W)/gi)].map((match) => match[1] ?? '');
    const own = new Set(used.filter((name) => !name.startsWith('__')));
    t.strictSame([...own].sort(), known);
  });

  t.test(`the panels of ${file} do not overlap and fit into 24 columns`, async (t) => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of board.panels) {
      t.ok(gridPos.x >= 0 && gridPos.w > 0 && gridPos.h > 0 && gridPos.x + gridPos.w <= 24, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          const other = taken.get(`${x},${y}`);
          if (other !== undefined) return t.fail(`${title} overlaps ${other}`);
          taken.set(`${x},${y}`, title);
        }
      }
    }
  });
}

function checkPanel(t: Test, { title, description, datasource, fieldConfig, targets = [] }: Panel): void {
  t.ok((description ?? '').length > 10, `description of ${title}`);
  t.ok(fieldConfig?.defaults.unit, `unit of ${title}`);
  t.ok(isProvisioned(datasource), `datasource of ${title}`);
  t.ok(targets.length > 0, `queries of ${title}`);
  t.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, `refIds of ${title}`);
  for (const target of targets) {
    t.strictSame(target.datasource, datasource, `datasource of ${title} ${target.refId}`);
    t.ok((target.expr ?? target.rawSql ?? '') !== '', `query of ${title} ${target.refId}`);
  }
}
