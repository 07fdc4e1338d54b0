/** Where a text is looked at: on its way to a model, and on its way back. */
export type Point = 'input' | 'output'
