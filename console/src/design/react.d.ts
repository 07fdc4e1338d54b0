import 'react'

declare module 'react' {
  /** Custom properties are how geometry reaches the style sheets. */
  interface CSSProperties {
    [property: `--${string}`]: string | number
  }
}
