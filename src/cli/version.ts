import type { Input, Run } from './command.ts'
import { printJson } from './declined.ts'

export const run: Run<Input<readonly [], Record<never, never>>> = async ({ json }, context) => {
  const { nodeVersion, platform } = context.probes
  if (json) printJson(context, { headworks: context.version, node: nodeVersion, platform })
  else context.stdout.write(`headworks ${context.version} (Node ${nodeVersion}, ${platform})\n`)
  return 0
}
