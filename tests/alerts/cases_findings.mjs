// When the alerts on findings fire, and when they do not. `checks` is [time, alerts at that time]; series as promtool has
// them, one value a minute unless `interval` says otherwise.
const at = 'job="dupwatch",instance="db1"';
const labels = { job: 'dupwatch', instance: 'db1' };
const open = (severity, rule = 'duplicate_created') => `dupwatch_open_findings{${at},rule="${rule}",severity="${severity}"}`;
const total = (severity, rule = 'duplicate_created', origin = 'stream') => `dupwatch_findings_total{${at},rule="${rule}",severity="${severity}",origin="${origin}"}`;
const mayReturn = `${open('fatal').slice(0, -1)},pending="may_return"}`;

const fatal = (count, rule = 'duplicate_created') => ({
  labels: { ...labels, rule },
  description: `Fatal findings of rule ${rule} at db1, open or new: ${count}. /api/findings and the log name the runs; dupwatch explain RUN_ID shows one and the SQL that saves it.`,
});
const lost = (count) => ({
  labels, description: `Runs that failed after a fatal finding at db1 within 1h: about ${count}. dupwatch explain RUN_ID prints how one can be revived.`,
});
const conflict = (count) => ({
  labels: { ...labels, rule: 'second_terminal' },
  description: `Conflicts of rule second_terminal at db1, open or new: ${count}. The runs do not fail by themselves; what they did may be wrong.`,
});
const harmless = (count) => ({
  labels,
  description: `Harmless duplicates at db1 within 1d: about ${count}. The cure is @workflow/world-postgres 4.1.2 or later, whose unique index refuses them; run dupwatch audit --before-migration first.`,
});

const repeated = `dupwatch_repeated_work_total{${at},kind="step_body"}`;
const repeats = (count) => ({
  labels,
  description: `Steps that were begun again at db1 within 1h: about ${count}. What they do outside the log may have been done twice; /api/status and the log name them.`,
});

const tables = (kind) => `dupwatch_engine_table_rows{${at},kind="${kind}"}`;
const stuck = (kind, count) => ({
  labels: { ...labels, kind },
  description: `Rows of kind ${kind} at db1: ${count}. The log of dupwatch names them (event=engine_table).`,
});
const jobs = `dupwatch_queue_jobs_total{${at}}`;
const events = `dupwatch_events_received_total{${at},event_type="step_created"}`;
const wakeups = (rate) => ({
  labels, description: `Jobs put into the queue at db1: ${rate} a second, more than 5 for each event. Runs are enqueued again and again without going on.`,
});

export const cases = [
  {
    alert: 'DupwatchFatalFindings',
    name: 'an open one fires at once, and stands for the hold after it went',
    series: { [open('fatal')]: '0 0 2 2 2 0x20', [total('fatal')]: '0x30' },
    checks: [['1m', []], ['2m', [fatal(2)]], ['9m', [fatal(2)]], ['10m', []]],
  },
  {
    alert: 'DupwatchFatalFindings',
    name: 'one whose run died between two scrapes was never open, and fires all the same',
    series: { [open('fatal')]: '0x30', [total('fatal')]: '0 0 1x30' },
    checks: [['1m', []], ['2m', [fatal(1)]], ['6m', [fatal(1)]], ['7m', []]],
  },
  {
    alert: 'DupwatchFatalFindings',
    name: 'a restart does not resolve it, and each rule has its own',
    series: { [open('fatal')]: '1 1 stale _ _ 1x10', [open('fatal', 'slot_gap')]: '1 1 stale _ _ 1x10' },
    checks: [1, 3, 4, 6].map((minute) => [`${minute}m`, [fatal(1), fatal(1, 'slot_gap')]]),
  },
  {
    alert: 'DupwatchFatalFindings',
    name: 'other severities, old rows and lost runs are quiet',
    series: {
      [open('conflict')]: '5x20', [open('harmless')]: '5x20', [open('unknown')]: '5x20',
      [total('fatal', 'duplicate_created', 'scan')]: '0 0 9x20', [total('fatal', 'run_lost')]: '0 0 9x20', [total('harmless')]: '0 0 9x20',
    },
    checks: [['2m', []], ['4m', []]],
  },
  {
    alert: 'DupwatchFatalFindings',
    name: 'a run that may return pages when it is still there after the grace',
    series: { [mayReturn]: '0 0 1 1 1 1 0x10' },
    checks: [['2m', []], ['3m', []], ['4m', [fatal(1)]], ['5m', [fatal(1)]], ['6m', []]],
  },
  {
    alert: 'DupwatchFatalFindings',
    name: 'one that returns within the grace does not',
    series: { [mayReturn]: '0 0 1 1 0x10', [`${total('fatal').slice(0, -1)},pending="may_return"}`]: '0 0 1x20' },
    checks: [['2m', []], ['3m', []], ['4m', []], ['5m', []]],
  },
  {
    alert: 'DupwatchFatalBurst',
    name: 'twenty-one of two rules within ten minutes',
    series: { [total('fatal')]: '0 0 11x40', [total('fatal', 'slot_gap')]: '0 0 10x40' },
    checks: ['2m', '11m'].map((time) => [time, [{
      labels, description: 'New fatal findings at db1 within 10m: about 21. Stop the second worker first, then look at single runs.',
    }]]).concat([['1m', []], ['12m', []]]),
  },
  {
    alert: 'DupwatchFatalBurst',
    name: 'twenty are none, nor are those of a scan or of another severity',
    series: { [total('fatal')]: '0 0 20x20', [total('fatal', 'slot_gap', 'scan')]: '0 0 500x20', [total('harmless')]: '0 0 500x20' },
    checks: [['2m', []], ['11m', []]],
  },
  {
    alert: 'DupwatchRunsLost',
    name: 'stands for an hour',
    series: { [total('fatal', 'run_lost')]: '0x5 2x130' },
    checks: [['5m', []], ['6m', [lost(2)]], ['65m', [lost(2)]], ['66m', []]],
  },
  {
    alert: 'DupwatchRunsLost',
    name: 'runs that were lost before the start are quiet, and so are other rules',
    series: { [total('fatal', 'run_lost', 'scan')]: '0 3x20', [total('fatal')]: '0 3x20' },
    checks: [['1m', []], ['10m', []]],
  },
  {
    alert: 'DupwatchConflicts',
    name: 'an open one fires at once and stands for the hold after it went',
    series: { [open('conflict', 'second_terminal')]: '0 1 1 0x20', [total('conflict', 'second_terminal')]: '0x30' },
    checks: [['0m', []], ['1m', [conflict(1)]], ['7m', [conflict(1)]], ['8m', []]],
  },
  {
    alert: 'DupwatchConflicts',
    name: 'one of a run that has ended stands for an hour',
    series: { [open('conflict', 'second_terminal')]: '0x140', [total('conflict', 'second_terminal')]: '0x5 4x130' },
    checks: [['5m', []], ['6m', [conflict(4)]], ['65m', [conflict(4)]], ['66m', []]],
  },
  {
    alert: 'DupwatchConflicts',
    name: 'other severities and old rows are quiet',
    series: { [open('fatal')]: '1x20', [open('harmless')]: '1x20', [total('harmless')]: '0 9x20', [total('conflict', 'second_terminal', 'scan')]: '0 9x20' },
    checks: [['2m', []], ['10m', []]],
  },
  {
    alert: 'DupwatchHarmlessDuplicates',
    name: 'one alert for an installation, for a day after the last',
    interval: '5m',
    series: { [total('harmless')]: '0 0 3x400', [total('harmless', 'duplicate_created', 'scan')]: '0 0 4x400' },
    checks: [['20m', []], ['25m', [harmless(7)]], ['24h5m', [harmless(7)]], ['24h10m', []]],
  },
  {
    alert: 'DupwatchHarmlessDuplicates',
    name: 'harmless rows that the index would not refuse, and fatal ones, are another matter',
    interval: '5m',
    series: { [total('harmless', 'second_terminal')]: '0 0 9x40', [total('fatal')]: '0 0 9x40' },
    checks: [['30m', []], ['1h', []]],
  },
  {
    alert: 'DupwatchRepeatedWork',
    name: 'a rate that stays is told, and ends with it',
    interval: '5m',
    series: { [repeated]: '0+4x60 240x60' },
    checks: [['2h', []], ['3h', [repeats(48)]], ['5h', [repeats(48)]], ['6h30m', []]],
  },
  {
    alert: 'DupwatchRepeatedWork',
    name: 'a rollout is quiet, and so is a trickle',
    interval: '5m',
    series: { [repeated]: '0 0 60x60', [repeated.replace('db1', 'db2')]: '0+1x60' },
    checks: [['1h', []], ['3h', []], ['4h', []]],
  },
  {
    alert: 'DupwatchEngineTables',
    name: 'what stays is told by its kind, until it is gone',
    series: { [tables('hook_token')]: '0 2x30 0x20', [tables('silent_wait')]: '0x60', [tables('given_up_job')]: '1x10 0x40' },
    checks: [['10m', []], ['16m', [stuck('hook_token', 2)]], ['30m', [stuck('hook_token', 2)]], ['33m', []]],
  },
  {
    alert: 'DupwatchWakeupsWithoutEvents',
    name: 'runs that are woken once a second and write nothing',
    interval: '5m',
    series: { [jobs]: '0+300x60', [events]: '0+2x60' },
    checks: [['20m', []], ['1h', [wakeups('1.0')]]],
  },
  {
    alert: 'DupwatchWakeupsWithoutEvents',
    name: 'a busy engine is quiet, and so is a trickle of jobs',
    interval: '5m',
    series: { [jobs]: '0+30000x60', [events]: '0+33000x60', [jobs.replace('db1', 'db2')]: '0+100x60', [events.replace('db1', 'db2')]: '0x60' },
    checks: [['30m', []], ['2h', []]],
  },
];
