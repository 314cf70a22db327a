// What the tests on dashboards share: panels, queries with their variables filled in, and a scene with real data.
import { DASHBOARDS } from '../../dashboards/generate.mjs';
import { Prometheus, until } from '../alerts/monitoring.mjs';
import { daemonFor, insertEvents, serverWithSchema } from '../integration/scene.mjs';

/** Every panel but rows: {file, dashboard, panel}. */
export const panels = Object.entries(DASHBOARDS).flatMap(([file, dashboard]) => (
  dashboard.panels.filter(({ type }) => type !== 'row').map((panel) => ({ file, dashboard, panel }))));

/** Every query of panels and annotations: {where, expr, instant}. */
export const queries = [
  ...panels.flatMap(({ file, panel }) => panel.targets.map(({ expr, instant, refId }) => ({ where: `${file}: ${panel.title} ${refId}`, expr, instant }))),
  ...Object.entries(DASHBOARDS).flatMap(([file, { annotations }]) => annotations.list.map(({ name, expr }) => ({ where: `${file}: annotation ${name}`, expr, instant: false }))),
];

const VALUES = { $job: '.+', $instance: '.+', $__rate_interval: '10s', $__range: '60s' };

/** The query with variables as Grafana would fill them in with everything chosen. */
export const fill = (expr) => Object.entries(VALUES).reduce((text, [name, value]) => text.replaceAll(name, value), expr);

// With a limit, so that the safe size of the slot is known.
const SETTINGS = { max_slot_wal_keep_size: '1GB' };

/** A daemon over a real server, scraped by a real Prometheus each second for a few seconds: {cluster, daemon, prometheus}. */
export async function scene(t) {
  const cluster = await serverWithSchema(t, { settings: SETTINGS });
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  const prometheus = await Prometheus.start(t, { jobs: { dupwatch: new URL(daemon.httpBase).host } });
  await scrapes(prometheus, 3);
  await until('the slot', async () => (await prometheus.query('max(dupwatch_slot_wal_status) == 1 and on() dupwatch_slot_safe_wal_bytes')).length);
  return { cluster, daemon, prometheus };
}

/** Waits for so many scrapes from now on. */
export async function scrapes(prometheus, count) {
  const since = Date.now() / 1000;
  await until(`${count} scrapes`, async () => {
    const [series] = await prometheus.query('dupwatch_ready[1m]');
    return series?.values.filter(([time]) => time > since).length >= count;
  });
}

/** Commits fatal and harmless duplicates in `runs` runs, and waits until they are found. */
export async function findSome({ cluster, daemon }, runs, offset = 0) {
  const before = await daemon.metric('dupwatch_findings_total');
  for (let index = 0; index < runs; index += 1) {
    const step = (type, more) => ({ run: `wrun_01K000000000000000000${String(offset + index).padStart(4, '0')}`, type, correlation: 'step_1', ...more });
    const late = index % 2 ? ['step_created', 'step_completed'] : ['step_completed', 'step_created'];
    await insertEvents(cluster, [step('run_created', { correlation: null }), step('step_created'), step('step_started'), ...late.map((type) => step(type))]);
  }
  await daemon.caughtUp();
  await daemon.until('findings', async () => (await daemon.metric('dupwatch_findings_total')) >= before + runs);
}
