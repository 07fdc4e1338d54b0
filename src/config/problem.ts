/** One thing wrong with the configuration: where, what, and what to do. */
export interface ConfigProblem {
  readonly path: Path
  /** In the file. Absent for what came from the environment or is not in the file. */
  readonly place?: Place
  /** The value as found, short, never a secret. */
  readonly value?: string
  /** Reads on from the path: "names no engine". */
  readonly wrong: string
  readonly remedy: string
}

export type Path = readonly (string | number)[]

/** Both counted from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** `models.chat.deployments[0].engine`; a part that is no plain word is quoted. */
export function pathText(path: Path): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else if (/^[\w-]+$/.test(part)) text += text === '' ? part : `.${part}`
    else text += `[${JSON.stringify(part)}]`
  }
  return text
}

/** Two lines a problem, in the order of the file. */
export function problemsText(file: string, problems: readonly ConfigProblem[]): string {
  return [...problems]
    .sort((a, b) => (a.place?.line ?? 0) - (b.place?.line ?? 0) || (a.place?.column ?? 0) - (b.place?.column ?? 0))
    .map((problem) => `  ${problemText(file, problem)}`)
    .join('\n')
}

function problemText(file: string, { path, place, value, wrong, remedy }: ConfigProblem): string {
  const where = place === undefined ? '' : `${file}:${place.line}:${place.column}: `
  const subject = path.length === 0 ? 'The file' : pathText(path)
  const shown = value === undefined ? '' : ` = ${value}`
  return `${where}${subject}${shown} ${wrong}.\n    ${remedy}`
}

/** A value for a message: JSON, cut. */
export function shown(value: unknown): string | undefined {
  if (value === undefined) return undefined
  const json =
    JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part)) ?? String(value)
  const masked = json.replace(/:\/\/[^\s"]*@/g, '://[hidden]@')
  return masked.length > SHOWN_MAX ? `${masked.slice(0, SHOWN_MAX)}…` : masked
}

const SHOWN_MAX = 60
