// The sheet of the checklist, by the names of its fields.
'use strict';

(() => {
    const { recall, remember } = window.blastRadius;
    for (const sheet of document.querySelectorAll('form.sheet')) {
        const fields = sheet.querySelectorAll('input, textarea');
        const fit = field => {
            field.style.height = 'auto';
            field.style.height = field.value ? `${field.scrollHeight + 2}px` : '';
        };
        for (const field of fields) {
            field.value = recall(`sheet: ${field.name}`) ?? '';
            fit(field);
        }
        sheet.addEventListener('input', event => {
            remember(`sheet: ${event.target.name}`, event.target.value);
            fit(event.target);
        });
        sheet.addEventListener('submit', event => event.preventDefault());
        sheet.addEventListener('reset', () => {
            for (const field of fields) {
                remember(`sheet: ${field.name}`, '');
                field.style.height = '';
            }
        });
    }
})();
