/** Names of somebody's workplace have no place in the project: paths of a home folder, hosts that
 *  serve packages, numbers of a private tracker. */

export interface Pattern {
  readonly what: string
  readonly pattern: RegExp
}

export const PATTERNS: readonly Pattern[] = [
  {
    what: "a path of somebody's machine",
    pattern:
      /(?<![\w.$}/-])\/(?:root|work|workspace|home\/(?!node\b|user\b|you\b)[a-z]\w*|Users\/(?!you\b)[A-Za-z]\w*)\/[\w.-]+/,
  },
  {
    what: 'a package registry',
    pattern: /\b(?:registry|npm|pypi|mirrors?|artifactory|nexus|packages)\.[a-z0-9-]+\.[a-z]{2,}\b/i,
  },
  { what: 'a private host', pattern: /\b[a-z0-9-]+\.(?:internal|corp|intranet|lan)\b(?!\()/i },
  { what: 'a number of a private tracker', pattern: /\bissue #?\d{1,2}\b/i },
]

export function checkNames(
  files: Iterable<readonly [path: string, text: string]>,
  patterns: readonly Pattern[] = PATTERNS,
): string[] {
  const found: string[] = []
  for (const [path, text] of files) {
    text.split('\n').forEach((line, index) => {
      for (const { what, pattern } of patterns) {
        const match = pattern.exec(line)
        if (match !== null) found.push(`${path}:${index + 1}: ${what}: ${match[0]}`)
      }
    })
  }
  return found
}
