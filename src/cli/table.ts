// Rows of texts → aligned columns, the first row as their titles. Pure; colour is the caller's to give.

export type Style = 'good' | 'bad' | 'title'
/** The text in a style, or as it is. */
export type Paint = (style: Style, text: string) => string
export type Cell = string | { readonly text: string; readonly style?: Style }

export function table(rows: readonly (readonly Cell[])[], paint: Paint): string {
  const widths = (rows[0] ?? []).map((_, column) => rows.reduce((widest, row) => Math.max(widest, textOf(row[column]).length), 0))
  return rows.map((row, index) => lineOf(row, { widths, paint, isTitle: index === 0 })).join('\n')
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
  return cells.join('  ')
}

function textOf(cell: Cell | undefined): string {
  return typeof cell === 'object' ? cell.text : (cell ?? '')
}

function styleOf(cell: Cell): Style | undefined {
  return typeof cell === 'object' ? cell.style : undefined
}
