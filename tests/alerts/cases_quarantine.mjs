// When the alerts on the daemon's own quarantine fire, and when they do not.
const at = 'job="dupwatch",instance="db1"';
const labels = { job: 'dupwatch', instance: 'db1' };
const is = (state) => `dupwatch_quarantine_state{${at},state="${state}"}`;
const became = (outcome) => `dupwatch_quarantine_findings_total{${at},outcome="${outcome}"}`;

const tripped = 'The circuit is open at db1: more rows than the limits allow, or one that the log does not explain. dupwatch quarantine status says which.';
const unavailable = 'At db1 a right, a table or the connection is missing; its log and /api/status say which. Findings are still reported.';

export const cases = [
  {
    alert: 'DupwatchQuarantineTripped',
    name: 'at once, and until a person closes the circuit',
    series: { [is('tripped')]: '0 0 1x10 0x5', [is('ready')]: '1 1 0x10 1x5' },
    checks: [['1m', []], ['2m', [{ labels: { ...labels, state: 'tripped' }, description: tripped }]], ['12m', [{ labels: { ...labels, state: 'tripped' }, description: tripped }]], ['13m', []]],
  },
  {
    alert: 'DupwatchQuarantineUnavailable',
    name: 'after five minutes',
    series: { [is('unavailable')]: '0 1x20', [is('off')]: '1x20' },
    checks: [['5m', []], ['6m', [{ labels: { ...labels, state: 'unavailable' }, description: unavailable }]]],
  },
  { alert: 'DupwatchQuarantineUnavailable', name: 'a restart of the server is quiet', series: { [is('unavailable')]: '0 1x3 0x20' }, checks: [['4m', []], ['6m', []]] },
  {
    alert: 'DupwatchQuarantineFailing',
    name: 'a row that was given up',
    series: { [became('failed')]: '0 0 1x80', [became('removed')]: '0 5 9x80' },
    checks: [['1m', []], ['62m', []], ...['2m', '60m'].map((time) => [time, [{
      labels: { ...labels, outcome: 'failed' },
      description: 'About 1 within 1h at db1, outcome failed. Their runs die at the next replay unless somebody takes the rows out.',
    }]])],
  },
  { alert: 'DupwatchQuarantineFailing', name: 'rows that are taken out or refused are quiet', series: { [became('removed')]: '0 5 9x80', [became('refused')]: '0 5 9x80', [became('failed')]: '3x80' }, checks: [['5m', []], ['70m', []]] },
];
