import assert from 'node:assert/strict'
import { test } from 'node:test'
import { read, texts } from '../../tests/kit/parse.ts'
import { chunk } from './chunk.ts'

const headings = async (name: string, text: string): Promise<string[]> => {
  const { blocks } = await read(name, text)
  return blocks
    .filter(({ kind }) => kind === 'heading')
    .map(({ level, text }) => `${'  '.repeat((level ?? 1) - 1)}${text}`)
}

test('code: definitions under the path, by indentation, with the comments above them', async () => {
  const source =
    'import x\n\n# Says hello.\n@cached\ndef hello(name: str) -> None:\n    print(name)\n\n\nclass Box(Base):\n    size = 1\n\n    def open(self):\n        pass\n'
  const parsed = await read('src/pkg/box.py', source)
  assert.equal(parsed.mediaType, 'text/x-python')
  assert.equal(parsed.title, 'src/pkg/box.py')
  assert.equal(parsed.text, source)
  assert.deepEqual(texts(parsed), [
    '# src/pkg/box.py',
    'code: import x',
    '# def hello(name: str) -> None',
    'code: # Says hello.\n@cached\ndef hello(name: str) -> None:\n    print(name)',
    '# class Box(Base)',
    'code: class Box(Base):\n    size = 1',
    '# def open(self)',
    'code:     def open(self):\n        pass',
  ])
})

test('code: definitions of many languages', async () => {
  assert.deepEqual(
    await headings(
      'a.ts',
      'export class A<T> extends B {\n  #x = 1\n\n  async run(a: number): Promise<void> {\n    if (a) {\n    }\n  }\n}\nexport const f = (a: string) => {\n}\ninterface C {\n}\nfunction g() {}\n',
    ),
    [
      'a.ts',
      '  export class A<T> extends B',
      '    async run(a: number): Promise<void>',
      '  export const f = (a: string)',
      '  interface C',
      '  function g()',
    ],
  )
  assert.deepEqual(
    await headings('a.go', 'package a\n\nfunc (s *S) Run(x int) error {\n\treturn nil\n}\n\ntype S struct {\n}\n'),
    ['a.go', '  func (s *S) Run(x int) error', '  type S struct'],
  )
  assert.deepEqual(await headings('a.rs', 'pub struct P {\n}\nimpl P {\n    pub fn new() -> Self {\n    }\n}\n'), [
    'a.rs',
    '  pub struct P',
    '  impl P',
    '    pub fn new() -> Self',
  ])
  assert.deepEqual(
    await headings(
      'a.c',
      'static int add(int a, int b)\n{\n  return a + b;\n}\nint main(void) {\n  for (;;) {\n  }\n}\n',
    ),
    ['a.c', '  static int add(int a, int b)', '  int main(void)'],
  )
  assert.deepEqual(
    await headings('A.java', 'public class A {\n  @Override\n  public String toString() {\n    return "";\n  }\n}\n'),
    ['A.java', '  public class A', '    public String toString()'],
  )
  assert.deepEqual(await headings('a.sh', 'set -e\nrun() {\n  echo\n}\n'), ['a.sh', '  run()'])
  assert.deepEqual(await headings('a.sql', 'CREATE TABLE t (\n  id int\n);\ncreate or replace view v as select 1;\n'), [
    'a.sql',
    '  CREATE TABLE t (',
    '  create or replace view v as select 1;',
  ])
  assert.deepEqual(await headings('a.toml', '[server]\nport = 1\n[server.tls]\non = true\n'), [
    'a.toml',
    '  [server]',
    '  [server.tls]',
  ])
  assert.deepEqual(await headings('script', '#!/usr/bin/env python3\ndef f():\n  pass\n'), ['script', '  def f()'])
})

test('code: chunks begin at definitions and carry path, class and method', async () => {
  const method = (i: number): string => `  method${i}(value) {\n${`    this.total += value * ${i}\n`.repeat(45)}  }\n\n`
  const { text, blocks } = await read('src/sum.js', `class Sum {\n${[0, 1, 2, 3].map(method).join('')}}\n`)
  const chunks = chunk(text, blocks)
  assert.equal(chunks.length, 4)
  for (const [i, one] of chunks.entries()) {
    assert.match(one.text, new RegExp(`method${i}\\(value\\)`))
    assert.deepEqual(one.headings.slice(0, 2), ['src/sum.js', 'class Sum'].slice(0, one.headings.length))
  }
  assert.deepEqual(chunks[2]?.headings, ['src/sum.js', 'class Sum', 'method2(value)'])
})

test('code: a function too long for one chunk is cut at blank lines', async () => {
  const body = Array.from({ length: 12 }, (_, i) => `  step(${i}, "and some words more")\n`.repeat(10)).join('\n')
  const { text, blocks } = await read('long.js', `function long() {\n${body}}\n`)
  for (const one of chunk(text, blocks)) assert.match(one.text, /(?:\)|\})$/)
  const inner = blocks.filter(({ kind }) => kind === 'code')
  assert.equal(inner.length, 12)
})

test('code: what was made by a program is read as lines', async () => {
  const { text, blocks } = await read('min.js', `var a=1;${'function f(){return 1};'.repeat(5000)}`)
  const kept = chunk(text, blocks).map((one) => one.text)
  assert.equal(kept.join('').replace(/\s/g, ''), text.replace(/\s/g, ''))
})
