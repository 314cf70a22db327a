// What the daemon takes out of the log automatically, where quarantine.mode is not observe.
export const group = 'dupwatch-quarantine';

export const rules = [
  {
    name: 'DupwatchQuarantineTripped',
    severity: 'critical',
    concern: 'findings',
    expr: () => 'dupwatch_quarantine_state{state="tripped"} == 1',
    summary: 'Quarantine stopped itself: fatal rows stay in the log until a person allows it again.',
    description: 'The circuit is open at {{ $labels.instance }}: more rows than the limits allow, or one that the log does not explain. dupwatch quarantine status says which.',
  },
  {
    name: 'DupwatchQuarantineUnavailable',
    severity: 'warning',
    concern: 'findings',
    expr: () => 'dupwatch_quarantine_state{state="unavailable"} == 1',
    for: 'quarantineUnavailableFor',
    summary: 'Quarantine is enabled but cannot act.',
    description: 'At {{ $labels.instance }} a right, a table or the connection is missing; its log and /api/status say which. Findings are still reported.',
  },
  {
    name: 'DupwatchQuarantineFailing',
    uses: ['quarantineWindow'],
    severity: 'warning',
    concern: 'findings',
    expr: (t) => `sum by (job, instance, database, outcome) (increase(dupwatch_quarantine_findings_total{outcome=~"failed|dropped"}[${t.quarantineWindow}])) > 0`,
    summary: 'Fatal rows were not taken out of the log.',
    description: 'About {{ $value | printf "%.0f" }} within {{ quarantineWindow }} at {{ $labels.instance }}, outcome {{ $labels.outcome }}. Their runs die at the next replay unless somebody takes the rows out.',
  },
];
