import { toProblem } from '../base/errors.ts'
import type { Command, ExitCode } from './command.ts'
import { COMMANDS } from './commands.ts'
import type { CliContext } from './context.ts'
import { declinedBy, printJson, report } from './declined.ts'
import { helpFor, overview } from './help.ts'
import { parse, type ParsedInput } from './parse.ts'
import { styleFor, widthFor } from './style.ts'

/** Runs one command line, without the program's name, to its exit code. Never rejects. */
export async function runCli(
  words: readonly string[],
  context: CliContext,
  commands: readonly Command[] = COMMANDS,
): Promise<ExitCode> {
  const parsed = parse(commands, words)
  switch (parsed.kind) {
    case 'help':
      context.stdout.write(helpText(commands, parsed.topic, context))
      return 0
    case 'version':
      context.stdout.write(`${context.version}\n`)
      return 0
    case 'wrong': {
      const topic = parsed.topic === undefined ? '' : ` ${parsed.topic}`
      if (words.includes('--json')) printJson(context, { error: { code: 'wrong_use', message: parsed.message } })
      context.stderr.write(
        `${styleFor(context.stderr, context.env).bad('✗')} ${parsed.message} See "headworks${topic} --help".\n`,
      )
      return 2
    }
    case 'run':
      return run(parsed.command, parsed.input, context, commands)
  }
}

async function run(
  command: Command,
  input: ParsedInput,
  context: CliContext,
  commands: readonly Command[],
): Promise<ExitCode> {
  try {
    const loaded = await command.load()
    // The declaration and its code were checked against each other where the command was declared.
    return await loaded.run(input as never, context, commands)
  } catch (thrown) {
    return report(context, declinedBy(toProblem(thrown)), input.json)
  }
}

function helpText(commands: readonly Command[], topic: string | undefined, context: CliContext): string {
  const width = widthFor(context.stdout)
  const style = styleFor(context.stdout, context.env)
  const one = commands.find(({ name }) => name === topic)
  return one === undefined ? overview(commands, width, style, topic) : helpFor(one, width, style)
}
