#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "daemon/config/config_file.hpp"
#include "daemon/core/config.hpp"
#include "daemon/process/exit_code.hpp"

/// The commands of the program. Each has a file of its own with its options and what it does, and one row in
/// the table of commands.cpp; nothing else names it. They print for people, or one JSON document with --json,
/// on stdout; what went wrong goes to stderr as one line with its remedy.
namespace dupwatch::cli {

/// What a command is handed once the command line has been read.
struct Invocation {
  /// The defaults where the command needs none.
  const core::Config& config;
  /// Reads the configuration again; callable on another thread.
  std::function<config::ConfigResult()> reload;
  /// What a further command on this host needs to find the same configuration, with a blank before it;
  /// empty = nothing.
  std::string config_option;
};

class Command {
 public:
  Command() = default;
  virtual ~Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  /// Called once, before the command line is read; what it binds must live as long as this object.
  virtual void add_options(CLI::App& app) = 0;
  [[nodiscard]] virtual process::ExitCode run(const Invocation& invocation) = 0;
};

/// Which of the common options mean something to a command; each kind has those of the kinds before it.
enum class Reads : std::uint8_t {
  kNothing,        ///< no configuration
  kConfiguration,  ///< --config
  kTable,          ///< --dsn
  kSlot,           ///< --slot
  kStream          ///< --plugin, --publication
};

struct CommandRow {
  const char* name;
  /// One line of --help, without full stop.
  const char* summary;
  Reads reads;
  /// It also takes --web.config.file.
  bool web;
  /// It also takes --log-level.
  bool logs;
  /// What each exit code means for this command: "0 ...; 1 ...".
  const char* exit_codes;
  /// Lines that can be pasted into a shell.
  const char* examples;
  std::unique_ptr<Command> (*make)();
};

/// Name, version and what it was built from.
[[nodiscard]] std::string version_line();

/// In the order of --help.
[[nodiscard]] std::span<const CommandRow> commands() noexcept;

}  // namespace dupwatch::cli
