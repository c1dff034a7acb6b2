// SPDX-License-Identifier: Apache-2.0
#include "apps/describe.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cctype>
#include <string_view>
#include <vector>

#include "engine/core/utf8.hpp"

namespace kindred {
namespace {

/// One option or positional, as far as it is described.
struct Described {
  std::vector<std::string> names;    ///< "-k", "--metric"; empty: a positional
  std::string label;                 ///< a positional's name
  std::string value;                 ///< "TEXT"; empty: a flag
  std::vector<std::string> choices;  ///< of the value
  std::string text, fallback;
  bool required = false;
};

/// "{dot,cosine}" at the end of a type's name, as CLI11 writes a set of choices.
std::vector<std::string> choices_of(const std::string& type) {
  const size_t open = type.find('{'), close = type.rfind('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  return CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
}

/// Those of option groups, which CLI11 keeps as nameless subcommands, too; hidden ones aside.
void gather(const CLI::App& app, std::vector<Described>& to) {
  for (const CLI::Option* option : app.get_options([](const CLI::Option* o) { return !o->get_group().empty(); })) {
    Described out;
    for (const auto& name : option->get_snames()) out.names.push_back("-" + name);
    for (const auto& name : option->get_lnames()) out.names.push_back("--" + name);
    if (out.names.empty()) out.label = option->get_name(true);
    const std::string type = option->get_type_name();
    out.choices = choices_of(type);
    if (option->get_items_expected_max() > 0) out.value = type.substr(0, type.find_first_of(": "));
    out.text = option->get_description();
    out.fallback = option->get_default_str();
    out.required = option->get_required();
    to.push_back(std::move(out));
  }
  for (const CLI::App* group : app.get_subcommands([](const CLI::App* s) { return s->get_name().empty(); }))
    gather(*group, to);
}

std::vector<Described> options_of(const CLI::App& app) {
  std::vector<Described> out;
  gather(app, out);
  return out;
}

std::vector<const CLI::App*> subcommands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* s) { return !s->get_name().empty(); });
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

std::string joined(const std::vector<std::string>& parts, std::string_view between) {
  return fmt::format("{}", fmt::join(parts, between));
}

/// The example commands of a footer "Examples:\n  command\n  command".
std::vector<std::string> examples_of(const CLI::App& app) {
  std::vector<std::string> out;
  for (const auto& line : CLI::detail::split(app.get_footer(), '\n'))
    if (line.starts_with("  ")) out.push_back(line.substr(2));
  return out;
}

// --- bash

/// The replies for `app`'s options, by the option before the cursor.
std::string bash_replies(const CLI::App& app, const std::string& indent) {
  std::vector<std::string> names, free;
  std::string cases;
  for (const auto& option : options_of(app)) {
    names.insert(names.end(), option.names.begin(), option.names.end());
    if (option.value.empty()) continue;
    if (option.choices.empty())
      free.insert(free.end(), option.names.begin(), option.names.end());
    else
      cases += fmt::format("{}  {}) COMPREPLY=($(compgen -W '{}' -- \"$current\")); return ;;\n", indent,
                           fmt::join(option.names, "|"), fmt::join(option.choices, " "));
  }
  if (!free.empty()) cases += fmt::format("{}  {}) return ;;\n", indent, fmt::join(free, "|"));
  if (!cases.empty()) cases = fmt::format("{0}case $option in\n{1}{0}esac\n", indent, cases);
  return fmt::format("{0}{1}if [[ $current == -* ]]; then COMPREPLY=($(compgen -W '{2}' -- \"$current\")); fi\n", cases,
                     indent, fmt::join(names, " "));
}

// --- zsh

/// In single quotes, with what _arguments reads as its own marked.
std::string zsh_text(std::string text) {
  for (const char* mark : {"\\", "[", "]", ":"}) text = replaced(std::move(text), mark, "\\" + std::string(mark));
  return replaced(std::move(text), "'", "'\\''");
}

/// `rest`: what may stand beside options.
std::string zsh_arguments(const CLI::App& app, const std::string& indent, std::string_view rest = "'*:file:_files'") {
  std::string out;
  for (const auto& option : options_of(app)) {
    const std::string value = option.value.empty() ? ""
                              : option.choices.empty()
                                  ? fmt::format(":{}:_files", option.value)
                                  : fmt::format(":{}:({})", option.value, joined(option.choices, " "));
    for (const auto& name : option.names)
      out += fmt::format(" \\\n{}'{}[{}]{}'", indent, name, zsh_text(option.text), value);
  }
  return out + fmt::format(" \\\n{}{}\n", indent, rest);
}

// --- man

/// Text with nothing in it that troff reads as its own, in ASCII.
std::string man_text(std::string_view text) {
  std::string out = text.starts_with('.') || text.starts_with('\'') ? "\\&" : "";
  while (!text.empty()) {
    const Character c = first_character(text);
    if (c.code >= 0x80)
      out += fmt::format("\\[u{:04X}]", static_cast<uint32_t>(c.code));
    else if (c.code == '\\')
      out += "\\e";
    else if (c.code == '-')
      out += "\\-";
    else if (c.code == '\n')
      out += "\n.br\n";
    else
      out += static_cast<char>(c.code);
    text.remove_prefix(c.bytes);
  }
  return out;
}

std::string man_options(const CLI::App& app) {
  std::string out;
  for (const auto& option : options_of(app)) {
    std::vector<std::string> names;
    for (const auto& name : option.names) names.push_back("\\fB" + man_text(name) + "\\fR");
    const std::string value = !option.choices.empty() ? joined(option.choices, "|") : option.value;
    const std::string head = option.names.empty() ? "\\fI" + man_text(option.label) + "\\fR"
                             : value.empty()      ? joined(names, ", ")
                                                  : joined(names, ", ") + " \\fI" + man_text(value) + "\\fR";
    out += ".TP\n" + head + "\n" + man_text(option.text) + "\n";
    if (!option.fallback.empty()) out += "Default: " + man_text(option.fallback) + ".\n";
  }
  return out;
}

std::string man_examples(const CLI::App& app) {
  const auto examples = examples_of(app);
  if (examples.empty()) return "";
  std::string out = ".nf\n";
  for (const auto& example : examples) out += man_text(example) + "\n";
  return out + ".fi\n";
}

std::string man_synopsis(const CLI::App& app, const std::string& before) {
  std::string out = ".B " + man_text(before + app.get_name()) + "\n";
  for (const auto& option : options_of(app))
    if (option.names.empty()) out += man_text(option.required ? option.label : "[" + option.label + "]") + "\n";
  return out + "[\\fIoptions\\fR]\n";
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
  const std::string program = app.get_name(), function = "_" + replaced(program, "-", "_");
  std::string out = fmt::format(
      "# Completion of {} for bash.\n{}() {{\n"
      "  local current=${{COMP_WORDS[COMP_CWORD]}} option=${{COMP_WORDS[COMP_CWORD - 1]}} command= word\n"
      "  COMPREPLY=()\n"
      "  if [[ $current == = ]]; then\n    current=\n"
      "  elif [[ $option == = ]]; then\n    option=${{COMP_WORDS[COMP_CWORD - 2]}}\n  fi\n",
      program, function);
  const auto commands = subcommands_of(app);
  if (commands.empty()) {
    out += bash_replies(app, "  ");
  } else {
    std::vector<std::string> names;
    for (const CLI::App* command : commands) names.push_back(command->get_name());
    out += fmt::format(
        "  for word in \"${{COMP_WORDS[@]:1:COMP_CWORD - 1}}\"; do\n"
        "    case $word in {}) command=$word; break ;; esac\n  done\n  case $command in\n",
        joined(names, "|"));
    for (const CLI::App* command : commands)
      out += fmt::format("    {})\n{}      ;;\n", command->get_name(), bash_replies(*command, "      "));
    out += fmt::format(
        "    *)\n{}"
        "      if [[ $current != -* ]]; then COMPREPLY=($(compgen -W '{}' -- \"$current\")); fi\n"
        "      ;;\n  esac\n",
        bash_replies(app, "      "), joined(names, " "));
  }
  return out + fmt::format("}}\ncomplete -o default -F {} {}\n", function, program);
}

std::string zsh_completion(const CLI::App& app) {
  const auto commands = subcommands_of(app);
  std::string out = fmt::format("#compdef {}\n", app.get_name());
  if (commands.empty()) return out + "_arguments" + zsh_arguments(app, "  ");
  out += "local state\nlocal -a commands=(\n";
  for (const CLI::App* command : commands)
    out += fmt::format("  '{}:{}'\n", command->get_name(), zsh_text(command->get_description()));
  out += ")\n_arguments -C" + zsh_arguments(app, "  ", "'1:command:->command' '*::argument:->argument'");
  out +=
      "case $state in\n"
      "  command) _describe command commands ;;\n  argument)\n    case $words[1] in\n";
  for (const CLI::App* command : commands)
    out += fmt::format("      {})\n        _arguments{}        ;;\n", command->get_name(),
                       zsh_arguments(*command, "          "));
  return out + "    esac\n    ;;\nesac\n";
}

std::string man_page(const CLI::App& app, const std::string& version) {
  std::string title = app.get_name();
  for (char& c : title) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string out =
      fmt::format(".TH {} 1 \"\" \"{}\" \"Kindred\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n", man_text(title),
                  man_text(version), man_text(app.get_name()), man_text(app.get_description()));
  const auto commands = subcommands_of(app);
  if (commands.empty()) {
    out += man_synopsis(app, "") + ".SH OPTIONS\n" + man_options(app);
  } else {
    for (const CLI::App* command : commands) out += man_synopsis(*command, app.get_name() + " ") + ".br\n";
    out += ".SH OPTIONS\n" + man_options(app) + ".SH COMMANDS\n";
    for (const CLI::App* command : commands)
      out += ".SS " + man_text(command->get_name()) + "\n" + man_text(command->get_description()) + "\n" +
             man_options(*command) + ".PP\n" + man_examples(*command);
  }
  const std::string examples = man_examples(app);
  if (!examples.empty()) out += ".SH EXAMPLES\n" + examples;
  return out +
         ".SH EXIT STATUS\n"
         ".TP\n0\nDone; also where the reader of standard output went away.\n"
         ".TP\n1\nDisk full, no such device, out of memory: the message says what was needed and what to change.\n"
         ".TP\n2\nThe input or the call is wrong.\n"
         ".TP\n130, 143\nEnded by Ctrl\\-C or SIGTERM.\n";
}

}  // namespace kindred
