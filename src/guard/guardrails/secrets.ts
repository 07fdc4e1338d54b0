import { type Pattern, PatternDetector } from './patterns.ts'

/** Secrets that can be told by their form, as their makers document it. Rows only: a new one is a line. */

const WORD = /[\w.+/=:-]/

/** `length` and more characters of `alphabet` after a prefix, and nothing of a word around. */
const token = (kind: string, prefix: string, alphabet: string, least: number, most = least): Pattern => ({
  kind,
  form: new RegExp(`(?<![\\w-])(?:${prefix})[${alphabet}]{${least},${most}}(?![${alphabet}])`, 'g'),
  spanCharsMax: most + 32,
  made: WORD,
})

const PRIVATE_KEY_CHARS_MAX = 3800

const PATTERNS: readonly Pattern[] = [
  {
    kind: 'private_key',
    form: /-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY-----[A-Za-z0-9+/=\s:,.\\-]{0,3600}?-----END [A-Z0-9 ]{0,32}PRIVATE KEY-----/g,
    spanCharsMax: PRIVATE_KEY_CHARS_MAX,
    made: /[^]/,
  },
  token('anthropic_key', 'sk-ant-', 'A-Za-z0-9_-', 24, 200),
  token('openai_key', 'sk-(?:proj-|svcacct-|admin-)?', 'A-Za-z0-9_-', 32, 200),
  token('headworks_key', 'hw_', 'a-z0-9', 32, 64),
  token('aws_access_key', 'AKIA|ASIA', 'A-Z0-9', 16),
  token('github_token', 'gh[pousr]_', 'A-Za-z0-9', 36, 251),
  token('github_token', 'github_pat_', 'A-Za-z0-9_', 60, 100),
  token('gitlab_token', 'glpat-', 'A-Za-z0-9_-', 20, 64),
  token('google_key', 'AIza', 'A-Za-z0-9_-', 35),
  token('huggingface_token', 'hf_', 'A-Za-z0-9', 30, 64),
  token('npm_token', 'npm_', 'A-Za-z0-9', 36),
  token('pypi_token', 'pypi-', 'A-Za-z0-9_-', 50, 250),
  token('sendgrid_key', 'SG\\.', 'A-Za-z0-9_.-', 60, 72),
  token('slack_token', 'xox[abeoprs]-', 'A-Za-z0-9-', 20, 200),
  token('stripe_key', '(?:sk|rk)_(?:live|test)_', 'A-Za-z0-9', 16, 128),
  {
    kind: 'jwt',
    form: /(?<![\w-])eyJ[\w-]{10,400}\.eyJ[\w-]{10,1200}\.[\w-]{16,700}(?![\w-])/g,
    spanCharsMax: 2400,
    made: WORD,
  },
  {
    kind: 'url_password',
    form: /(?<![a-z0-9])[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@]{0,64}:[^\s/@]{3,128}@(?=[\w[])/g,
    spanCharsMax: 230,
    made: /\S/,
  },
]

export const secretDetector = (): SecretDetector => new SecretDetector()

/** As `PatternDetector`; a private key, which has lines, is waited for only once it has begun. */
class SecretDetector extends PatternDetector {
  readonly #single: PatternDetector

  constructor() {
    super(PATTERNS)
    this.#single = new PatternDetector(PATTERNS.filter(({ kind }) => kind !== 'private_key'))
  }

  override openFrom(text: string): number {
    const open = this.#single.openFrom(text)
    const tail = text.slice(-PRIVATE_KEY_CHARS_MAX)
    const begun = tail.lastIndexOf('-----BEGIN ')
    if (begun >= 0 && !/-----END [A-Z0-9 ]{0,32}PRIVATE KEY-----/.test(tail.slice(begun)))
      return Math.min(open, text.length - tail.length + begun)
    const dashes = /-{1,5}(?:B(?:E(?:G(?:IN?)?)?)?)?$/.exec(tail)
    return dashes === null ? open : Math.min(open, text.length - dashes[0].length)
  }
}
