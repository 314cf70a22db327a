#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "daemon/cli/command.hpp"
#include "daemon/cli/report_error.hpp"
#include "daemon/cli/spelling.hpp"

namespace dupwatch::cli {
namespace {

/// The help of another command, as its --help prints it.
class HelpCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    own_ = &app;
    app.add_option("COMMAND", words_, "A command, and one of its actions; without it, all commands")
        ->expected(0, 2);
  }
  [[nodiscard]] process::ExitCode run(const Invocation& /*invocation*/) override {
    auto* const program = own_->get_parent();
    auto* app = program;
    std::string before;
    for (const auto& word : words_) {
      std::vector<std::string> names;
      CLI::App* next = nullptr;
      for (auto* sub : app->get_subcommands([](const auto*) { return true; })) {
        names.push_back(sub->get_name());
        if (sub->get_name() == word) next = sub;
      }
      if (next == nullptr) {
        const auto nearest = nearest_name(word, names);
        fmt::print(stderr, "error: {} has no command \"{}\"{}\nRun dupwatch help for all of them.\n",
                   app->get_name(), printable(word),
                   nearest ? fmt::format("; did you mean {}?", *nearest) : "");
        return process::ExitCode::kUsage;
      }
      before += (before.empty() ? "" : " ") + app->get_name();
      app = next;
    }
    // This command is what the program would otherwise show the help of.
    program->clear();
    print(app->help(before));
    return process::ExitCode::kClean;
  }

 private:
  CLI::App* own_ = nullptr;
  std::vector<std::string> words_;
};

}  // namespace

std::unique_ptr<Command> make_help() {
  return std::make_unique<HelpCommand>();
}

}  // namespace dupwatch::cli
