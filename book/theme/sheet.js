// The checklist: one sheet a dependency, kept in this browser, and carried away or brought back as JSON or Markdown.
'use strict';

(() => {
    const { recall, remember, make } = window.blastRadius;
    const SHEETS = 'sheets';

    // `{ sheets: [{ field: text }], current: number }`
    const read = () => {
        try {
            const { sheets, current } = JSON.parse(recall(SHEETS));
            if (Array.isArray(sheets) && sheets.length > 0 && sheets[current]) {
                return { sheets, current };
            }
        } catch {}
        return { sheets: [{}], current: 0 };
    };
    const kept = read();
    const keep = () => remember(SHEETS, JSON.stringify(kept));
    const sheet = () => kept.sheets[kept.current];
    const nameOf = ({ service, dependency }) => [service, dependency].filter(Boolean).join(' → ') || 'without a name yet';

    // What a calculator says goes below what stands there.
    window.blastRadius.sheet = {
        name: () => nameOf(sheet()),
        add(field, text) {
            sheet()[field] = [sheet()[field], text].filter(Boolean).join('\n');
            keep();
        },
    };

    const form = document.querySelector('form.sheet');
    if (!form) {
        return;
    }
    const fields = [...form.querySelectorAll('input, textarea')];
    // One sheet was kept a field at a time once.
    for (const field of recall(SHEETS) === null ? fields : []) {
        const text = recall(`sheet: ${field.name}`);
        if (text) {
            sheet()[field.name] = text;
        }
    }

    const fit = field => {
        field.style.height = 'auto';
        field.style.height = field.value ? `${field.scrollHeight + 2}px` : '';
    };
    const chooser = make('select', { id: 'sheet-chooser' });
    const list = () => {
        chooser.replaceChildren(...kept.sheets.map((each, number) =>
            make('option', { value: number, textContent: `${number + 1}: ${nameOf(each)}` })));
        chooser.value = kept.current;
    };
    const show = () => {
        list();
        for (const field of fields) {
            field.value = sheet()[field.name] ?? '';
            fit(field);
        }
    };
    form.addEventListener('input', event => {
        sheet()[event.target.name] = event.target.value;
        keep();
        list();
        fit(event.target);
    });
    form.addEventListener('submit', event => event.preventDefault());
    form.addEventListener('reset', event => {
        event.preventDefault();
        kept.sheets[kept.current] = {};
        keep();
        show();
    });

    // --- Several sheets

    const said = make('p');
    said.setAttribute('role', 'status');
    const button = (text, act) => {
        const it = make('button', { type: 'button', className: 'plain-button', textContent: text });
        it.addEventListener('click', act);
        return it;
    };
    chooser.addEventListener('change', () => {
        kept.current = Number(chooser.value);
        keep();
        show();
    });
    const add = sheets => {
        // A first sheet with nothing in it makes room.
        if (kept.sheets.length === 1 && Object.values(sheet()).every(text => !text)) {
            kept.sheets.length = 0;
        }
        kept.sheets.push(...sheets);
        kept.current = kept.sheets.length - 1;
        keep();
        show();
    };

    // --- Out and in

    const save = (file, type, text) => {
        const link = make('a', { download: file, href: URL.createObjectURL(new Blob([text], { type })) });
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
        said.textContent = `Saved as ${file}, with ${kept.sheets.length === 1 ? 'one sheet' : `${kept.sheets.length} sheets`}.`;
    };
    const labelOf = field => (field.labels[0]?.firstChild.textContent ?? field.name).trim();
    const heads = fields.filter(field => field.matches('input'));
    const questions = fields.filter(field => field.matches('textarea'));

    // A `#` that begins a line of an answer is the reader's, and no heading.
    const toMarkdown = each => [
        `# ${nameOf(each)}`,
        heads.map(field => `- ${labelOf(field)}: ${each[field.name] ?? ''}`.trimEnd()).join('\n'),
        ...questions.map(field => `## ${labelOf(field)}\n\n${(each[field.name] ?? '').replace(/^(\\*#)/gm, '\\$1')}`.trimEnd()),
    ].join('\n\n');
    function fromMarkdown(text) {
        const sheets = [];
        let field = null;
        for (const line of text.replaceAll('\r\n', '\n').split('\n')) {
            const question = /^## (.*)/.exec(line)?.[1].trim();
            const head = /^- ([^:]*): ?(.*)/.exec(line);
            if (/^# /.test(line)) {
                sheets.push({});
                field = null;
            } else if (sheets.length === 0) {
                continue;
            } else if (question !== undefined) {
                field = questions.find(each => labelOf(each) === question) ?? null;
            } else if (field) {
                const its = sheets.at(-1);
                its[field.name] = [its[field.name], line.replace(/^\\(\\*#)/, '$1')].filter(part => part !== undefined).join('\n');
            } else if (head) {
                const its = heads.find(each => labelOf(each) === head[1].trim());
                if (its) {
                    sheets.at(-1)[its.name] = head[2].trim();
                }
            }
        }
        for (const each of sheets) {
            Object.keys(each).forEach(key => { each[key] = each[key].trim(); });
        }
        return sheets;
    }
    // Fields that this page knows, and text alone.
    const known = each => Object.fromEntries(fields.map(field => [field.name, each?.[field.name]])
        .filter(([, text]) => typeof text === 'string'));
    const fromJson = text => {
        const { sheets } = JSON.parse(text);
        return sheets.map(known);
    };
    const file = make('input', { type: 'file', accept: '.json,.md', hidden: true });
    file.addEventListener('change', async () => {
        const [chosen] = file.files;
        try {
            const text = await chosen.text();
            const sheets = chosen.name.endsWith('.json') ? fromJson(text) : fromMarkdown(text);
            if (sheets.length === 0) {
                throw new Error('no sheet');
            }
            add(sheets);
            said.textContent = `Brought in from ${chosen.name}: ${sheets.map(nameOf).join(', ')}.`;
        } catch {
            said.textContent = `${chosen.name} holds no sheets: take a file that this page saved.`;
        }
        file.value = '';
    });

    const bar = make('div', { className: 'sheets' },
        make('label', { htmlFor: 'sheet-chooser', textContent: 'Sheet ' }), chooser,
        button('New sheet', () => {
            kept.sheets.push({ service: sheet().service ?? '' });
            kept.current = kept.sheets.length - 1;
            keep();
            show();
            said.textContent = 'A new sheet; the others are kept.';
        }),
        button('Remove this sheet', () => {
            const removed = kept.sheets.splice(kept.current, 1)[0];
            if (kept.sheets.length === 0) {
                kept.sheets.push({});
            }
            kept.current = Math.min(kept.current, kept.sheets.length - 1);
            keep();
            show();
            const undo = button('Bring it back', () => add([removed]));
            said.replaceChildren(`Removed: ${nameOf(removed)}. `, undo);
        }),
        button('Save as JSON', () => save('checklist.json', 'application/json', JSON.stringify({ sheets: kept.sheets.map(known) }, null, 2))),
        button('Save as Markdown', () => save('checklist.md', 'text/markdown', `${kept.sheets.map(toMarkdown).join('\n\n')}\n`)),
        button('Bring in a file', () => file.click()),
        file, said);
    form.before(bar);
    show();
})();
