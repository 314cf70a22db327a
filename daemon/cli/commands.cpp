#include <array>

#include "daemon/cli/command.hpp"

namespace dupwatch::cli {

std::unique_ptr<Command> make_alerts();
std::unique_ptr<Command> make_audit();
std::unique_ptr<Command> make_check();
std::unique_ptr<Command> make_config();
std::unique_ptr<Command> make_dashboards();
std::unique_ptr<Command> make_drop();
std::unique_ptr<Command> make_explain();
std::unique_ptr<Command> make_findings();
std::unique_ptr<Command> make_guard();
std::unique_ptr<Command> make_health();
std::unique_ptr<Command> make_help();
std::unique_ptr<Command> make_metrics();
std::unique_ptr<Command> make_profile();
std::unique_ptr<Command> make_quarantine();
std::unique_ptr<Command> make_run();
std::unique_ptr<Command> make_setup();
std::unique_ptr<Command> make_upgrade_check();
std::unique_ptr<Command> make_version();

namespace {

constexpr auto kCommands = std::to_array<CommandRow>({
    {"run", "Watch until SIGTERM", Reads::kStream, true, true,
     "0 stopped by a signal; 2 usage or configuration; 3 an operator must act; 4 the server could not be "
     "reached",
     "dupwatch run --config /etc/dupwatch/dupwatch.yaml", make_run},
    {"check", "Preflight: what must be fixed before run, with the SQL that fixes it", Reads::kStream, true,
     false,
     "0 ready; 1 a check failed; 2 usage or configuration; 3 an operator must act; 4 temporary failure",
     "dupwatch check\n  dupwatch check --json | jq '.lines[] | select(.verdict == \"fail\")'", make_check},
    {"setup", "Print the SQL a DBA runs: role, grants, publication", Reads::kStream, false, false,
     "0 printed; 2 usage or configuration",
     "dupwatch setup --print-sql | psql app\n  dupwatch setup --print-sql --uninstall", make_setup},
    {"drop", "Drop the replication slot, so that it retains no WAL", Reads::kSlot, false, false,
     "0 there is no such slot any more; 2 usage or configuration; 3 it is in use, or a right is missing; 4 "
     "temporary failure",
     "dupwatch drop", make_drop},
    {"audit", "Judge all rows that are in the table, without a slot", Reads::kTable, false, false,
     "0 no findings; 1 findings; 2 usage or configuration; 3 an operator must act; 4 temporary failure",
     "dupwatch audit --severity fatal,conflict\n  dupwatch audit --since 7d --format csv > findings.csv",
     make_audit},
    {"explain", "Show one run as replay reads it, and what can be done", Reads::kTable, false, false,
     "0 no findings; 1 findings; 2 usage or configuration, or no such run; 3 an operator must act; 4 "
     "temporary failure",
     "dupwatch explain wrun_01K7PRA4NNDMEB6TE42H6W9DVQ", make_explain},
    {"findings", "List what the daemon has found, what is urgent first", Reads::kTable, true, false,
     "0 listed; 2 usage or configuration, or no such finding; 3 an operator must act; 4 nothing to read them "
     "from answered",
     "dupwatch findings --open\n  dupwatch findings --severity fatal --group-by run\n"
     "  dupwatch findings show 5f0c4a1be2d37786\n  dupwatch findings watch --severity fatal\n"
     "  dupwatch findings ack 5f0c4a1be2d37786 --comment 'fixed in release 42' --until 8h",
     make_findings},
    {"guard", "Keep second creation events out of the table of an old engine", Reads::kTable, false, false,
     "0 done, or as it should be; 1 refused, or not as it should be; 2 usage or configuration; 3 an operator "
     "must act; 4 temporary failure",
     "dupwatch guard install\n  dupwatch guard status --json", make_guard},
    {"profile", "List and show the built-in profiles, or try one on the rows that are there", Reads::kTable,
     false, false,
     "0 done, nothing found; 1 findings; 2 usage or configuration; 3 an operator must act; 4 temporary "
     "failure",
     "dupwatch profile list\n  dupwatch profile show message-db\n  dupwatch profile test message-db --dsn "
     "'host=127.0.0.1 dbname=app'",
     make_profile},
    {"quarantine", "Take rows out of the log, keep them, put them back", Reads::kTable, false, false,
     "0 done; 1 the row stays where it is; 2 usage or configuration; 3 an operator must act; 4 temporary "
     "failure",
     "dupwatch quarantine list\n  dupwatch quarantine apply wrun_01K7PRA4NNDMEB6TE42H6W9DVQ "
     "5f0c4a1be2d37786",
     make_quarantine},
    {"upgrade-check", "Say whether an upgrade of the engine goes well, and what stands in its way",
     Reads::kTable, false, false,
     "0 go; 1 no-go; 2 usage or configuration; 3 an operator must act; 4 temporary failure",
     "dupwatch upgrade-check --to 4.3\n  dupwatch upgrade-check --to 5.0 -o json | jq '.lines[] | "
     "select(.verdict "
     "== \"fail\")'",
     make_upgrade_check},
    {"health", "Ask the running daemon whether it is alive; for health checks", Reads::kConfiguration, true,
     false, "0 healthy; 1 unreachable or unhealthy; 2 usage or configuration", "dupwatch health --ready",
     make_health},
    {"config", "Set values in the configuration file", Reads::kNothing, false, false,
     "0 written; 2 usage, or a value that is refused: nothing is written",
     "dupwatch config set connection.dsn='host=127.0.0.1 dbname=app user=dupwatch'\n"
     "  dupwatch config set slot.plugin=pgoutput quarantine.mode=remove --config dupwatch.yaml",
     make_config},
    {"alerts", "Print the alert rules with your thresholds and addresses, or what to do when one fires",
     Reads::kNothing, false, false, "0 printed; 2 usage, or no such threshold or alert",
     "dupwatch alerts --print --threshold hold=10m > /etc/prometheus/rules/dupwatch.yml\n"
     "  dupwatch alerts --print --format operator --exporters | kubectl apply -f -\n"
     "  dupwatch alerts --runbook DupwatchFatalFindings",
     make_alerts},
    {"dashboards", "Print the Grafana dashboards with your addresses", Reads::kNothing, false, false,
     "0 printed; 2 usage",
     "dupwatch dashboards --print overview --runbook-url https://wiki.example.org/dupwatch > overview.json",
     make_dashboards},
    {"metrics", "Say what every metric of /metrics means", Reads::kNothing, false, false,
     "0 printed; 2 usage", "dupwatch metrics --describe --format markdown", make_metrics},
    {"version", "Say what was built, and from what", Reads::kNothing, false, false, "0 printed; 2 usage",
     "dupwatch version --json", make_version},
    {"help", "Print the help of a command", Reads::kNothing, false, false,
     "0 printed; 2 there is no such command", "dupwatch help findings\n  dupwatch help findings ack",
     make_help},
});

}  // namespace

std::span<const CommandRow> commands() noexcept {
  return kCommands;
}

}  // namespace dupwatch::cli
