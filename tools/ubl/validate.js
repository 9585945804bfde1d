// Validates e-invoices with Mustang, all in one JVM, as its rules take seconds to compile:
//
//   java -cp 'LIBS/*' org.mozilla.javascript.tools.shell.Main validate.js REPORTS FILE...
//
// Mustang has no command line of its own, and a JRE compiles no Java; but Rhino is among its
// jars. The XML report of each FILE is written into the folder REPORTS under the file's name, and
// a line "true NAME" or "false NAME" to the standard output.
var reports = new java.io.File(arguments[0]);
for (var i = 1; i < arguments.length; i++) {
    var file = new java.io.File(arguments[i]);
    var validator = new Packages.org.mustangproject.validator.ZUGFeRDValidator();
    var report = validator.validate(file.getPath());
    var text = new java.lang.String(report);
    java.nio.file.Files.write(new java.io.File(reports, file.getName()).toPath(),
        text.getBytes("UTF-8"));
    java.lang.System.out.println(validator.wasCompletelyValid() + " " + file.getName());
}
