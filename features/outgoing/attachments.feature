Feature: Files, receipts and the code page of what is sent
  Files travel with the email. One that the organization would not take from outside (too large, or of a blocked kind) is refused when the email is written. Read
  and delivery receipts are asked for in the header. The text is written in the code page that the profile names, where it can be; otherwise in UTF-8.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the contact "Carl Birch" with the address "carl@birch.test"

  Scenario: A file arrives as it was
    When "Ada" sends an email to "Carl Birch" with the file "order.pdf" and the subject "Order"
    And the engine runs
    Then the mail "Order" to "carl@birch.test" has the file "order.pdf"

  Scenario: A blocked kind of file is refused
    Given the file extensions "exe;bat" are blocked
    When "Ada" sends an email to "Carl Birch" with the file "order.EXE" and the subject "Order"
    Then it is refused because the file 'order.EXE' is too large or of a blocked kind

  Scenario Outline: Receipts
    When "Ada" sends an email asking for a <kind> receipt to "Carl Birch" with the subject "Order"
    And the engine runs
    Then the mail "Order" to "carl@birch.test" has the header "<header>" with "ada@alder.test"

    Examples:
      | kind     | header                      |
      | read     | Disposition-Notification-To |
      | delivery | Return-Receipt-To           |

  Scenario Outline: The code page
    Given outgoing text is written in the code page "<page>"
    When "Ada" sends an email to "Carl Birch" with the text "<text>" and the subject "Greetings"
    And the engine runs
    Then the mail "Greetings" to "carl@birch.test" says "<text>" in the character set "<charset>"

    Examples:
      | page  | text   | charset      |
      | 1252  | Grüße  | windows-1252 |
      | 65001 | Grüße  | utf-8        |
      | 1252  | 日本   | utf-8        |
