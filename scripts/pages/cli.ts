import type { Command } from '../../src/cli/command.ts'
import { ENVIRONMENT, flagsOf, usageOf } from '../../src/cli/help.ts'

/** docs/cli.md, from the declarations of the commands. */
export function cliPage(commands: readonly Command[]): string {
  return `${HEAD}\n${commands.map(commandText).join('\n')}\n## Environment\n\n${table(
    ['variable', 'what it does'],
    ENVIRONMENT.map(([name, text]) => [`\`${name}\``, text]),
  )}`
}

const HEAD = `# Command line

\`npx headworks <command>\`. Every command has \`--help\`; most have \`--json\`, which prints one JSON document
on standard output and nothing else there. Progress goes to standard error: a bar on a terminal, plain
lines elsewhere. Commands talk to the running Headworks over its control socket, with no key; where
none runs, they open the data folder themselves.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | a fault: something failed or is not there; trying again may help |
| 2 | wrong use: the message says what was probably meant |
| 3 | refused: the request is wrong, not allowed, or names what does not exist |
`

function commandText(command: Command): string {
  const parts = [
    `## \`headworks ${command.name}\`\n\n${command.summary}\n`,
    `\`\`\`\nheadworks ${usageOf(command)}${flagsOf(command).length > 0 ? ' [flags]' : ''}\n\`\`\`\n`,
  ]
  if (command.details !== undefined) parts.push(`${command.details}\n`)
  const rows = [
    ...command.arguments.map(({ name, summary, optional }) => [
      `\`${optional === true ? `[${name}]` : `<${name}>`}\``,
      summary,
    ]),
    ...flagsOf(command).map(([flag, summary]) => [`\`${flag}\``, summary]),
  ]
  if (rows.length > 0) parts.push(table(['', 'what it does'], rows))
  for (const { line, does } of command.examples)
    parts.push(
      `${does}\n\n\`\`\`sh\n${line.includes('npx') ? line : line.replace('headworks ', 'npx headworks ')}\n\`\`\`\n`,
    )
  return parts.join('\n')
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows]
    .map((row) => `| ${row.map((cell) => cell.replace(/\|/g, '\\|')).join(' | ')} |\n`)
    .join('')
