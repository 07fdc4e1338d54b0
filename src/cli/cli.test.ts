import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { Screen, type } from '../../tests/kit/terminal.ts'
import { command } from './command.ts'
import { COMMANDS } from './commands.ts'
import { parse } from './parse.ts'
import { widthOf } from './text.ts'

test('wrong use is one line that says what, the nearest name and exit code 2', async () => {
  const cases: [string[], RegExp][] = [
    [['ingset', 'a', 'b'], /There is no command "ingset"\. Did you mean "ingest"\? See "headworks --help"/],
    [['qqqqqq'], /There is no command "qqqqqq"\. See/],
    [['--jsn'], /"--jsn" comes before any command/],
    [['keys'], /"keys" needs one of: create, list, rotate, revoke\. See "headworks keys --help"/],
    [['keys', 'lst'], /no command "keys lst"\. Did you mean "list"/],
    [['keys', 'create'], /"keys create" needs <name>; name is missing/],
    [['keys', 'create', 'a', '--role', 'root'], /--role is one of user, admin, not "root"/],
    [['keys', 'create', 'a', '--role', 'amdin'], /Did you mean "admin"/],
    [['keys', 'create', 'a', '--role'], /--role needs a value: ROLE/],
    [['keys', 'create', 'a', '--role=user', '--role=user'], /--role is given twice/],
    [['keys', 'list', '--rloe', 'x'], /has no --rloe/],
    [['search', 'x', '--cuont', '3'], /"search" has no --cuont\. Did you mean "--count"/],
    [['search', 'x', '--count', '0'], /--count is a whole number from 1 to 100, not "0"/],
    [['search', 'x', '--count=1e2'], /--count is a whole number from 1 to 100/],
    [['ask'], /"ask" needs <question>; question is missing/],
    [['ask', 'how', 'do', 'I'], /takes at most 2; "I" is too many\. Put a text of several words in quotes/],
    [['ask', 'x', '--stages=yes'], /--stages takes no value/],
    [['models', 'x'], /takes no words; "x" is too many/],
    [['up', '--json'], /"up" has no --json/],
    [['help', 'nonsense'], /There is no command "nonsense"/],
  ]
  for (const [words, expected] of cases) {
    const { exit, out, err } = await type(words)
    assert.equal(exit, 2, words.join(' '))
    assert.match(err, expected)
    assert.equal(err.trimEnd().split('\n').length, 1)
    if (!words.includes('--json')) assert.equal(out, '')
  }
})

test('wrong use with --json is a document too', async () => {
  const { exit, out } = await type(['keys', 'create', '--json'])
  assert.equal(exit, 2)
  assert.equal(JSON.parse(out).error.code, 'wrong_use')
})

test('help is there for everything, fits the terminal, and names every argument and flag', async () => {
  for (const words of [
    [],
    ['--help'],
    ['help'],
    ['keys', '--help'],
    ['help', 'traces'],
    ...COMMANDS.map(({ name }) => [...name.split(' '), '--help']),
  ]) {
    const { exit, out, err } = await type(words, { stdout: new Screen(true, 60), env: { NO_COLOR: '1' } })
    assert.deepEqual([exit, err], [0, ''])
    const prose = out
      .split('\n')
      .filter((line) => !/^ {2}\S.*headworks |HEADWORKS_/.test(line) && !/headworks/.test(line))
    for (const line of prose) assert(widthOf(line) <= 60, `${words.join(' ')}: ${line}`)
    assert(!out.includes('\x1b'))
  }
  for (const { name, arguments: words, flags, json } of COMMANDS) {
    const { out } = await type(['help', ...name.split(' ')])
    for (const one of [
      ...words.map((word) => word.name),
      ...Object.keys(flags).map((flag) => `--${flag}`),
      ...(json ? ['--json'] : []),
      '--help',
    ]) {
      assert(out.includes(one), `${name}: ${one}`)
    }
  }
  const all = (await type([])).out
  for (const { name } of COMMANDS) assert(all.includes(`  ${name}`), name)
})

test('every example in the help is a line that parses', () => {
  for (const { examples } of COMMANDS) {
    for (const { line } of examples) {
      const words =
        line
          .replace(/^.*?headworks /, '')
          .replace(/ >.*|\)$/g, '')
          .match(/"[^"]*"|\S+/g)
          ?.map((word) => word.replace(/"/g, '')) ?? []
      assert.equal(parse(COMMANDS, words).kind, 'run', line)
    }
  }
})

test('arguments fill from the right when optional ones are left out', () => {
  const read = (...words: string[]) => {
    const parsed = parse(COMMANDS, words)
    assert(parsed.kind === 'run')
    return parsed.input
  }
  assert.deepEqual(read('ask', 'why?').words, { question: 'why?' })
  assert.deepEqual(read('ask', 'chat', 'why?').words, { model: 'chat', question: 'why?' })
  assert.deepEqual(read('ask', '--stages', 'chat', '--', '--why').words, { model: 'chat', question: '--why' })
  assert.deepEqual(read('search', 'q').flags, { count: 5, mode: 'hybrid' })
  assert.deepEqual(read('search', 'q', '--count=7').flags, { count: 7, mode: 'hybrid' })
  assert.equal(read('keys', 'list', '--json').json, true)
  assert.equal(read('ask', '-').words['question'], '-')
})

test('no words make the parser throw, and names of prototypes are nothing special', () => {
  const word = fc.oneof(
    fc.constantFrom(
      'ask',
      'keys',
      'create',
      '--json',
      '--',
      '-',
      '--role',
      '--role=',
      '=',
      '--constructor',
      '--__proto__',
      'constructor',
      '--help',
    ),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (words) =>
      assert(['run', 'help', 'version', 'wrong'].includes(parse(COMMANDS, words).kind)),
    ),
  )
  assert.equal(parse(COMMANDS, ['ask', 'q', '--constructor']).kind, 'wrong')
  assert.equal(parse(COMMANDS, ['constructor']).kind, 'wrong')
})

test('the code of every command loads', async () => {
  for (const { load } of COMMANDS) assert.equal(typeof (await load()).run, 'function')
})

test('a crash inside a command becomes a message and exit code 1', async () => {
  const crashing = command({
    name: 'crash',
    summary: 's',
    arguments: [],
    flags: {},
    examples: [],
    json: true,
    load: async () => ({ run: () => Promise.reject(new TypeError('x is undefined')) }),
  })
  const { runCli } = await import('./cli.ts')
  const [stdout, stderr] = [new Screen(), new Screen()]
  const exit = await runCli(['crash', '--json'], { stdout, stderr, env: {} } as never, [crashing])
  assert.equal(exit, 1)
  assert.equal(JSON.parse(stdout.text).error.code, 'internal')
  assert.match(stderr.text, /Something went wrong inside: x is undefined/)
})

test('version', async () => {
  assert.match((await type(['version'])).out, /^headworks 0\.1\.0 \(Node 26\.10\.0, linux-x64\)\n$/)
  assert.deepEqual(JSON.parse((await type(['version', '--json'])).out), {
    headworks: '0.1.0',
    node: '26.10.0',
    platform: 'linux-x64',
  })
  assert.equal((await type(['--version'])).out, '0.1.0\n')
})

test('completions: bash offers commands, then their second words, flags, choices and files', async () => {
  const { out: script } = await type(['completions', 'bash'])
  const complete = (...words: string[]): string[] => {
    const run = spawnSync(
      'bash',
      [
        '--norc',
        '-c',
        `${script}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})\nCOMP_CWORD=${words.length - 1}\n_headworks\nprintf '%s\\n' "\${COMPREPLY[@]}"`,
      ],
      { encoding: 'utf8', cwd: import.meta.dirname },
    )
    assert.equal(run.stderr, '')
    return run.stdout.trim().split('\n')
  }
  assert(complete('headworks', '').includes('doctor'))
  assert.deepEqual(complete('headworks', 'k'), ['keys'])
  assert.deepEqual(complete('headworks', 'keys', ''), ['create', 'list', 'rotate', 'revoke'])
  assert.deepEqual(complete('headworks', 'keys', 'rotate', '--'), ['--grace', '--json', '--help'])
  assert.deepEqual(complete('headworks', 'keys', 'create', 'x', '--role', ''), ['user', 'admin'])
  assert.deepEqual(complete('headworks', 'completions', 'f'), ['fish'])
  assert(complete('headworks', 'ingest', 'handbook', 'cli.te').includes('cli.test.ts'))
})

test('completions: zsh and fish name every command and flag; other shells are refused', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'completions-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const shell of ['zsh', 'fish']) {
    const { out } = await type(['completions', shell])
    for (const { name, flags } of COMMANDS) {
      for (const word of name.split(' ')) assert(out.includes(word), `${shell}: ${word}`)
      for (const flag of Object.keys(flags)) assert(out.includes(flag), `${shell}: ${flag}`)
    }
    // Where the shell is there, it reads its script without complaint.
    const file = join(folder, shell)
    writeFileSync(file, out)
    const checked = spawnSync(shell, ['-n', file], { encoding: 'utf8' })
    if (checked.error === undefined) assert.equal(checked.stderr, '')
  }
  const { exit, err } = await type(['completions', 'tcsh'])
  assert.equal(exit, 2)
  assert.match(err, /"tcsh" is none of the shells: bash, zsh, fish/)
})
