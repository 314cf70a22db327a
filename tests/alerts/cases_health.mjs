// When the alerts on the index, the process and the latency objective fire, and when they do not.
const on = (instance) => `job="dupwatch",instance="${instance}"`;
const at = on('db1');
const labels = { job: 'dupwatch', instance: 'db1' };
const fires = (description) => [{ labels, description }];
const evicted = (instance, reason = 'memory') => `dupwatch_index_evictions_total{${on(instance)},reason="${reason}"}`;

/** The two series of the objective: all findings, and those within a second. */
const latency = (all, quick, { instance = 'db1', le = '1' } = {}) => ({
  [`dupwatch_commit_to_flag_seconds_count{${on(instance)}}`]: all,
  [`dupwatch_commit_to_flag_seconds_bucket{${on(instance)},le="${le}"}`]: quick,
  [`dupwatch_commit_to_flag_seconds_bucket{${on(instance)},le="+Inf"}`]: all,
});
const late = (share, span) => fires(`${share} of the findings at db1 came later than 1 s after the commit within the last ${span}.`);

export const cases = [
  {
    alert: 'DupwatchIndexNearLimit',
    name: 'above nine tenths for a quarter of an hour',
    series: {
      [`dupwatch_index_memory_bytes{${at}}`]: '50 91x40', [`dupwatch_index_memory_limit_bytes{${at}}`]: '100x41',
      [`dupwatch_index_memory_bytes{${on('db2')}}`]: '90x41', [`dupwatch_index_memory_limit_bytes{${on('db2')}}`]: '100x41',
    },
    checks: [['15m', []], ['16m', fires('The index at db1 uses 91% of index.memory_max. Nothing is missed; runs that leave it are read back when they are needed.')]],
  },
  {
    alert: 'DupwatchIndexThrashing',
    name: 'more evictions than the index holds; not as many, not of ended runs, not of an empty index',
    series: {
      [evicted('db1')]: '0 0 120x40', [`dupwatch_index_runs{${on('db1')}}`]: '100x42',
      [evicted('db2')]: '0 0 100x40', [`dupwatch_index_runs{${on('db2')}}`]: '100x42',
      [evicted('db3', 'run_ended')]: '0 0 900x40', [`dupwatch_index_runs{${on('db3')}}`]: '100x42',
      [evicted('db4')]: '0 0 100x40', [`dupwatch_index_runs{${on('db4')}}`]: '0x42',
    },
    checks: [['1m', []], ['17m', []], ...['2m', '16m'].map((time) => [time, fires(
      'The index at db1 was replaced 1.2 times within 15m. Each cold run costs the database a query: raise index.memory_max.',
    )])],
  },
  {
    alert: 'DupwatchRestarting',
    name: 'the fourth restart within an hour; of another job never',
    series: { [`process_start_time_seconds{${at}}`]: '1 2 3 4 5x100', 'process_start_time_seconds{job="node",instance="db1"}': '1 2 3 4 5 6 7x100' },
    checks: [['3m', []], ['61m', []], ...['4m', '60m'].map((time) => [time, fires(
      'Restarts within 1h at db1: 4. Its last log line and its exit code say why.',
    )])],
  },
  {
    alert: 'DupwatchConfigReloadFailed',
    name: 'five minutes with a file that was not taken; not one that was corrected meanwhile',
    series: {
      [`dupwatch_config_last_reload_successful{${at}}`]: '1 0x20',
      [`dupwatch_config_last_reload_successful{${on('db2')}}`]: '0x4 1x20',
    },
    checks: [['5m', []], ['6m', fires(
      'dupwatch at db1 rejected the configuration file on reload. Its log names every error; it would not start with this file either.',
    )]],
  },
  {
    alert: 'DupwatchDetectionFastBurn',
    name: 'a fifth of the findings is late',
    series: latency('0+10x30', '0+8x30'),
    checks: [['10m', late('20%', 'hour')], ['30m', late('20%', 'hour')]],
  },
  {
    alert: 'DupwatchDetectionFastBurn',
    name: 'a tenth is not enough, nor is a slow hour that is over',
    series: { ...latency('0+10x90', '0+9x90'), ...latency('0+10x90', '0+8x60 490+10x30', { instance: 'db2' }) },
    checks: [['75m', []]],
  },
  {
    alert: 'DupwatchDetectionFastBurn',
    name: 'a slow five minutes in a good hour is quiet',
    series: latency('0+10x90', '0+10x80 800+5x9'),
    checks: [['85m', []]],
  },
  {
    alert: 'DupwatchDetectionFastBurn',
    name: 'twelve late ones are enough, nine are not',
    series: { ...latency('0+1x12 12x60', '0x73'), ...latency('0+1x9 9x60', '0x70', { instance: 'db2' }) },
    checks: [['9m', []], ['12m', late('100%', 'hour')]],
  },
  {
    alert: 'DupwatchDetectionSlowBurn',
    name: 'a tenth of the findings is late, as Prometheus 3 writes the bucket',
    series: latency('0+10x60', '0+9x60', { le: '1.0' }),
    checks: [['60m', late('10%', 'six hours')]],
  },
  {
    alert: 'DupwatchDetectionSlowBurn',
    name: 'a twentieth is not enough, nor are slow hours that are over, nor a slow half hour',
    interval: '5m',
    series: {
      ...latency('0+20x100', '0+19x100'),
      ...latency('0+10x100', '0+8x72 586+10x20', { instance: 'db2' }),
      ...latency('0+10x100', '0+10x78 785+5x20', { instance: 'db3' }),
    },
    checks: [['415m', []]],
  },
  {
    alert: 'DupwatchDetectionSlowBurn',
    name: 'twelve late ones are enough, nine are not',
    series: { ...latency('0+1x12 12x60', '0x73'), ...latency('0+1x9 9x60', '0x70', { instance: 'db2' }) },
    checks: [['9m', []], ['12m', late('100%', 'six hours')]],
  },
];
