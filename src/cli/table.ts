// Rows of texts → aligned columns, the first row as their titles. Pure; colour is the caller's to give.

export type Style = 'good' | 'bad' | 'title'
/** The text in a style, or as it is. */
export type Paint = (style: Style, text: string) => string
export type Cell = string | { readonly text: string; readonly style?: Style }

export type Rows = readonly (readonly Cell[])[]

export function table(rows: Rows, paint: Paint): string {
  const widths = widthsOf(rows)
  return rows.map((row, index) => lineOf(row, { widths, paint, isTitle: index === 0 })).join('\n')
}

/** In so many columns of a terminal: without the columns named `dispensable`, one after the other, where it is too wide, else a block a row. */
export function fittedTable(
  rows: Rows,
  { paint, width, dispensable = [] }: { readonly paint: Paint; readonly width: number; readonly dispensable?: readonly string[] },
): string {
  if (isWithin(rows, width)) return table(rows, paint)
  const [next, ...others] = dispensable
  if (next !== undefined) {
    const column = rows[0]?.findIndex(cell => textOf(cell) === next) ?? -1
    const without = column === -1 ? rows : rows.map(row => row.filter((_, index) => index !== column))
    return fittedTable(without, { paint, width, dispensable: others })
  }
  return blocks(rows, paint)
}

export function isWithin(rows: Rows, width: number): boolean {
  const widths = widthsOf(rows)
  return widths.reduce((sum, each) => sum + each, 2 * (widths.length - 1)) <= width
}

/** The first cell alone, the others below it, each with its title. */
function blocks([titles = [], ...rows]: Rows, paint: Paint): string {
  const widest = Math.max(...titles.slice(1).map(title => textOf(title).length))
  return rows
    .flatMap(([first, ...others]) => [
      paint('title', textOf(first)),
      ...others.map(
        (cell, index) =>
          `  ${textOf(titles[index + 1])
            .toLowerCase()
            .padEnd(widest)}  ${painted(cell, paint)}`,
      ),
    ])
    .join('\n')
}

function painted(cell: Cell, paint: Paint): string {
  const style = styleOf(cell)
  return style === undefined ? textOf(cell) : paint(style, textOf(cell))
}

function widthsOf(rows: Rows): readonly number[] {
  return (rows[0] ?? []).map((_, column) => rows.reduce((widest, row) => Math.max(widest, textOf(row[column]).length), 0))
}

interface Line {
  readonly widths: readonly number[]
  readonly paint: Paint
  readonly isTitle: boolean
}

/** Colours have no width, so cells are padded before they are painted; nothing follows the last one. */
function lineOf(row: readonly Cell[], { widths, paint, isTitle }: Line): string {
  const cells = row.map((cell, column) => {
    const padded = column === row.length - 1 ? textOf(cell) : textOf(cell).padEnd(widths[column] ?? 0)
    const style = isTitle ? 'title' : styleOf(cell)
    return style === undefined ? padded : paint(style, padded)
  })
  return cells.join('  ').trimEnd()
}

function textOf(cell: Cell | undefined): string {
  return typeof cell === 'object' ? cell.text : (cell ?? '')
}

function styleOf(cell: Cell): Style | undefined {
  return typeof cell === 'object' ? cell.style : undefined
}
