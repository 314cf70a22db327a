// What dupwatch found.
export const group = 'dupwatch-findings';

const byRule = (inner) => `sum by (job, instance, database, rule) (${inner})`;
const open = (severity, t) => byRule(`max_over_time(dupwatch_open_findings{severity="${severity}"}[${t.hold}])`);

// run_lost has an alert of its own: it stands for a run, not for one more row.
// `view` is what the page of the daemon shows, as its address has it behind the '#'.
export const rules = [
  {
    name: 'DupwatchFatalFindings',
    uses: ['hold', 'pendingGrace'],
    severity: 'critical',
    concern: 'findings',
    // A run with nothing open may return before it meets the row: it pages when it is still there after the grace, and
    // when it fails by DupwatchRunsLost.
    expr: (t) => `${byRule(`max_over_time(dupwatch_open_findings{severity="fatal",pending!="may_return"}[${t.hold}])`)} > 0
or
${byRule(`min_over_time(dupwatch_open_findings{severity="fatal",pending="may_return"}[${t.pendingGrace}])`)} > 0
or
${byRule(`increase(dupwatch_findings_total{severity="fatal",origin="stream",rule!="run_lost",pending!="may_return"}[${t.hold}])`)} > 0`,
    view: 'severity=fatal&rule={{ $labels.rule }}',
    summary: 'Runs have rows on which the next replay fails.',
    description: 'Fatal findings of rule {{ $labels.rule }} at {{ $labels.instance }}, open or new: {{ $value | printf "%.0f" }}. /api/findings and the log name the runs; dupwatch explain RUN_ID shows one and the SQL that saves it.',
  },
  {
    name: 'DupwatchFatalBurst',
    uses: ['burst', 'burstWindow'],
    severity: 'critical',
    concern: 'findings',
    // Findings of the baseline scan are left out: a first start over an old table is no burst.
    expr: (t) => `sum by (job, instance, database) (increase(dupwatch_findings_total{severity="fatal",origin="stream"}[${t.burstWindow}])) > ${t.burst}`,
    view: 'severity=fatal',
    summary: 'Many fatal findings: workers are racing continuously.',
    description: 'New fatal findings at {{ $labels.instance }} within {{ burstWindow }}: about {{ $value | printf "%.0f" }}. Stop the second worker first, then look at single runs.',
  },
  {
    name: 'DupwatchRunsLost',
    uses: ['newWindow'],
    severity: 'critical',
    concern: 'findings',
    expr: (t) => `sum by (job, instance, database) (increase(dupwatch_findings_total{rule="run_lost",origin="stream"}[${t.newWindow}])) > 0`,
    view: 'rule=run_lost',
    summary: 'Runs failed after a fatal row.',
    description: 'Runs that failed after a fatal finding at {{ $labels.instance }} within {{ newWindow }}: about {{ $value | printf "%.0f" }}. dupwatch explain RUN_ID prints how one can be revived.',
  },
  {
    name: 'DupwatchConflicts',
    uses: ['hold', 'newWindow'],
    severity: 'warning',
    concern: 'findings',
    expr: (t) => `${open('conflict', t)} > 0
or
${byRule(`increase(dupwatch_findings_total{severity="conflict",origin="stream"}[${t.newWindow}])`)} > 0`,
    view: 'severity=conflict&rule={{ $labels.rule }}',
    summary: 'Runs continue although an outcome was dropped or contradicted.',
    description: 'Conflicts of rule {{ $labels.rule }} at {{ $labels.instance }}, open or new: {{ $value | printf "%.0f" }}. The runs do not fail by themselves; what they did may be wrong.',
  },
  {
    name: 'DupwatchHarmlessDuplicates',
    uses: ['harmlessWindow'],
    severity: 'warning',
    concern: 'standing',
    // One alert for an installation, whatever the number of rows, and never a page: on the affected version two
    // processes duplicate nearly every step that both see.
    expr: (t) => `sum by (job, instance, database) (increase(dupwatch_findings_total{rule="duplicate_created",severity="harmless"}[${t.harmlessWindow}])) > 0`,
    for: 'harmlessFor',
    view: 'severity=harmless&rule=duplicate_created',
    summary: 'The event log accepts duplicates: upgrade world-postgres to 4.1.2 or later.',
    description: 'Harmless duplicates at {{ $labels.instance }} within {{ harmlessWindow }}: about {{ $value | printf "%.0f" }}. The cure is @workflow/world-postgres 4.1.2 or later, whose unique index refuses them; run dupwatch audit --before-migration first.',
  },
  {
    name: 'DupwatchRepeatedWork',
    uses: ['repeatedRate', 'repeatedWindow'],
    severity: 'warning',
    concern: 'standing',
    // A process that is killed has its step begun again, and a rollout kills some: only a rate that stays is told. It is about
    // what steps do outside the log, and never a page.
    expr: (t) => `sum by (job, instance, database) (increase(dupwatch_repeated_work_total[${t.repeatedWindow}])) > ${t.repeatedRate}`,
    for: 'repeatedFor',
    summary: 'Bodies of steps are begun again without a retry.',
    description: 'Steps that were begun again at {{ $labels.instance }} within {{ repeatedWindow }}: about {{ $value | printf "%.0f" }}. What they do outside the log may have been done twice; /api/status and the log name them.',
  },
  {
    name: 'DupwatchEngineTables',
    severity: 'warning',
    concern: 'standing',
    expr: () => 'max by (job, instance, database, kind) (dupwatch_engine_table_rows) > 0',
    for: 'engineTablesFor',
    summary: "The engine's tables beside the log show work that is stuck or shared.",
    description: 'Rows of kind {{ $labels.kind }} at {{ $labels.instance }}: {{ $value | printf "%.0f" }}. The log of dupwatch names them (event=engine_table).',
  },
  {
    name: 'DupwatchWakeupsWithoutEvents',
    uses: ['wakeupsRate', 'wakeupsRatio', 'wakeupsWindow'],
    severity: 'warning',
    concern: 'standing',
    // A run that is woken again and again costs queue, processor and log, and no rule about the log sees it.
    expr: (t) => `sum by (job, instance, database) (rate(dupwatch_queue_jobs_total[${t.wakeupsWindow}])) > ${t.wakeupsRate}
and sum by (job, instance, database) (rate(dupwatch_queue_jobs_total[${t.wakeupsWindow}])) > ${t.wakeupsRatio} * sum by (job, instance, database) (rate(dupwatch_events_received_total[${t.wakeupsWindow}]))`,
    for: 'wakeupsFor',
    summary: 'The engine wakes runs far more often than it writes events.',
    description: 'Jobs put into the queue at {{ $labels.instance }}: {{ $value | printf "%.1f" }} a second, more than {{ wakeupsRatio }} for each event. Runs are enqueued again and again without going on.',
  },
];
