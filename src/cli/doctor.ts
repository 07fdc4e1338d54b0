import { CHECKS, examine, type Finding } from './checks.ts'
import type { Input, Run } from './command.ts'
import { printJson } from './declined.ts'
import { styleFor, widthFor, type Style } from './style.ts'
import { pad, printable, wrap } from './text.ts'

export const run: Run<Input<readonly [], Record<never, never>>> = async ({ json }, context) => {
  const loaded = await context.loadConfig()
  const all: { readonly check: string; readonly finding: Finding }[] = []
  const style = styleFor(context.stdout, context.env)
  for (const check of CHECKS) {
    for (const finding of await examine(check, context.probes, loaded)) {
      all.push({ check: check.name, finding })
      if (!json) context.stdout.write(lineOf(check.name, finding, widthFor(context.stdout), style))
    }
  }
  const count = (state: Finding['state']): number => all.filter(({ finding }) => finding.state === state).length
  const failed = count('fail') > 0
  if (json)
    printJson(context, {
      ok: !failed,
      checks: all.map(({ check, finding }) => ({
        check,
        state: finding.state,
        text: finding.text,
        remedy: finding.remedy ?? null,
      })),
    })
  else context.stdout.write(`\n${count('ok')} ok, ${count('warn')} to mind, ${count('fail')} to repair.\n`)
  return failed ? 1 : 0
}

const NAME_WIDTH = 13

function lineOf(name: string, { state, text, remedy }: Finding, width: number, style: Style): string {
  const mark = { ok: style.good('ok  '), warn: style.warning('warn'), fail: style.bad('fail') }[state]
  const indent = ' '.repeat(NAME_WIDTH + 6)
  const body = wrap(printable(text), width, indent).slice(indent.length)
  return `${mark}  ${pad(name, NAME_WIDTH)}${body}\n${remedy === undefined ? '' : `${wrap(`→ ${printable(remedy)}`, width, indent)}\n`}`
}
