// The index, the process and the latency objective.
export const group = 'dupwatch-health';

// Prometheus 3 writes le="1" as le="1.0".
const slowShare = (window) => `(
  1 - sum by (job, instance, database) (rate(dupwatch_commit_to_flag_seconds_bucket{le=~"1|1[.]0"}[${window}]))
    / sum by (job, instance, database) (rate(dupwatch_commit_to_flag_seconds_count[${window}]))
)`;

const burn = (factor, long, short, t) => {
  const limit = `${factor} * ${t.budget}`;
  return `${slowShare(long)} > ${limit}
and
${slowShare(short)} > ${limit}
and
sum by (job, instance, database) (increase(dupwatch_commit_to_flag_seconds_count[${long}])) >= ${t.burnFindings}`;
};

const late = '{{ $value | humanizePercentage }} of the findings at {{ $labels.instance }} came later than 1 s after the commit';

export const rules = [
  {
    name: 'DupwatchIndexNearLimit',
    uses: ['indexFull'],
    severity: 'info',
    concern: 'health',
    expr: (t) => `dupwatch_index_memory_bytes / dupwatch_index_memory_limit_bytes > ${t.indexFull}`,
    for: 'indexFullFor',
    summary: 'The index is nearly full.',
    description: 'The index at {{ $labels.instance }} uses {{ $value | humanizePercentage }} of index.memory_max. Nothing is missed; runs that leave it are read back when they are needed.',
  },
  {
    name: 'DupwatchIndexThrashing',
    uses: ['turnover', 'turnoverWindow'],
    severity: 'warning',
    concern: 'health',
    expr: (t) => `sum by (job, instance, database) (increase(dupwatch_index_evictions_total{reason="memory"}[${t.turnoverWindow}]))
  / on (job, instance, database) (dupwatch_index_runs > 0) > ${t.turnover}`,
    summary: 'The index is too small: runs are evicted as fast as they arrive.',
    description: 'The index at {{ $labels.instance }} was replaced {{ $value | printf "%.1f" }} times within {{ turnoverWindow }}. Each cold run costs the database a query: raise index.memory_max.',
  },
  {
    name: 'DupwatchRestarting',
    uses: ['restarts', 'restartWindow'],
    severity: 'warning',
    concern: 'health',
    expr: (t, s) => `changes(process_start_time_seconds{job="${s.job}"}[${t.restartWindow}]) > ${t.restarts}`,
    summary: 'dupwatch keeps restarting.',
    description: 'Restarts within {{ restartWindow }} at {{ $labels.instance }}: {{ $value }}. Its last log line and its exit code say why.',
  },
  {
    name: 'DupwatchConfigReloadFailed',
    severity: 'warning',
    concern: 'health',
    expr: () => 'dupwatch_config_last_reload_successful == 0',
    for: 'reloadFailedFor',
    summary: 'The configuration file has errors; the previous configuration stays in force.',
    description: 'dupwatch at {{ $labels.instance }} rejected the configuration file on reload. Its log names every error; it would not start with this file either.',
  },
  {
    name: 'DupwatchDetectionFastBurn',
    uses: ['budget', 'fastBurn', 'burnFindings'],
    severity: 'warning',
    concern: 'late',
    expr: (t) => burn(t.fastBurn, '1h', '5m', t),
    summary: 'Findings come late: the error budget of the latency objective is burning fast.',
    description: `${late} within the last hour.`,
  },
  {
    name: 'DupwatchDetectionSlowBurn',
    uses: ['budget', 'slowBurn', 'burnFindings'],
    severity: 'warning',
    concern: 'late',
    expr: (t) => burn(t.slowBurn, '6h', '30m', t),
    summary: 'Findings come late: the error budget of the latency objective is burning too fast.',
    description: `${late} within the last six hours.`,
  },
];
